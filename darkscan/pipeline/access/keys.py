"""The keys by which computers know each other: this one's own, and those that it allows.

A key is a CurveZMQ key in Z85: 40 printable characters. The public half names a computer;
the secret half never leaves it. On the host the allowed keys are those of rigs, on a rig
those of hosts and of workers, on a worker's computer those of rigs.
"""

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

import structlog
import zmq

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import atomically, write_atomically
from darkscan.pipeline.core.folders import settings_folder
from darkscan.pipeline.core.inputs import read_text

OWN_KEY = "own.key"
OWN_PUBLIC_KEY = "own.pub"
ALLOWED = "allowed.txt"
LONGEST_NAME = 80

_KEY = re.compile(r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")
# Of our own keys: shells, units of systemd and options take them as they are.
_EASILY_TYPED = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:+=/@-]*")
_HEAD = """\
# Who may speak with darkscan on this computer, one a line: KEY NAME
# `darkscan keys allow KEY NAME` adds a line; lines that begin with # are remarks.
"""


_log = structlog.get_logger(__name__)


class KeyPair(NamedTuple):
    """A computer's key; both halves are 40 characters of Z85."""

    public: str
    secret: str


def is_key(text: str) -> bool:
    """Whether a text is a key in Z85."""
    if _KEY.fullmatch(text) is None:
        return False
    # Five characters stand for four bytes; not all that can be written fit into them.
    return all(_value(text[start : start + 5]) < 2**32 for start in range(0, 40, 5))


_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def _value(characters: str) -> int:
    value = 0
    for character in characters:
        value = value * 85 + _Z85.index(character)
    return value


class KeyRing:
    """The folder with this user's keys: ``keys`` in the folder of darkscan's settings."""

    def __init__(self, folder: Path | None = None) -> None:
        """Touches nothing. ``folder``: another one than this user's."""
        self.folder = settings_folder() / "keys" if folder is None else folder
        self.own_file = self.folder / OWN_KEY
        self.allowed_file = self.folder / ALLOWED
        self._seen: tuple[int, int, int] | None = None
        self._allowed: dict[str, str] = {}

    def own(self) -> KeyPair:
        """This computer's key. Raises InputError if there is none, or if others can read it."""
        return read_key_pair(self.own_file)

    def new(self, *, force: bool = False) -> KeyPair:
        """Makes this computer's key; only its owner can read the file of its secret half.

        Raises InputError if there is one and it is not to be replaced (``force``), StorageError
        if it cannot be written.
        """
        if self.own_file.exists() and not force:
            problem = "exists already; --force makes a new one, which others must allow anew"
            raise InputError(problem, file=self.own_file)
        self._make_folder()
        pair = _draw()
        with atomically(self.own_file, replace=True) as part:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"public {pair.public}\nsecret {pair.secret}\n")
        write_atomically(self.folder / OWN_PUBLIC_KEY, f"{pair.public}\n".encode())
        return pair

    def allow(self, key: str, name: str) -> None:
        """Lets the computer with this key in, under this name; gives a known key a new name.

        Raises InputError for what is no key or no name, and for a name that another key has.
        """
        if not is_key(key):
            raise InputError("is no public key: 40 characters of Z85", field="KEY")
        check_name(name)
        if any(known == name and other != key for other, known in self.allowed().items()):
            problem = f"{name!r} has another key; `darkscan keys remove` it first"
            raise InputError(problem, file=self.allowed_file, field="NAME")
        self._write([*self._lines_without({key}), f"{key} {name}"])

    def remove(self, name: str) -> None:
        """Lets the computer of this name, or of this key, in no more. Raises InputError."""
        keys = {key for key, known in self.allowed().items() if name in {key, known}}
        if not keys:
            problem = f"nobody is allowed by the name {name!a:.80}"
            raise InputError(problem, file=self.allowed_file, field="NAME")
        self._write(self._lines_without(keys))

    def allowed(self) -> dict[str, str]:
        """Names by key, as the file has them now: it is read again whenever it changed.

        Raises InputError that names the file and the line which is wrong.
        """
        try:
            found = self.allowed_file.stat()
        except FileNotFoundError:
            self._seen, self._allowed = None, {}
            return {}
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise InputError(problem, file=self.allowed_file) from error
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen != self._seen:
            self._allowed = _parse(self.allowed_file)
            self._seen = seen
        return self._allowed

    def find(self, text: str, *, field: str = "--host-key") -> str:
        """The allowed key that a text names, or is; any other key as it is.

        Raises InputError that names ``field``.
        """
        for key, name in self.allowed().items():
            if text == name:
                return key
        if is_key(text):
            return text
        problem = f"is neither a key nor the name of an allowed one: {text!a:.60}"
        raise InputError(problem, field=field)

    def _lines_without(self, keys: set[str]) -> list[str]:
        """The lines of the list, remarks too, but those of some keys."""
        text = read_text(self.allowed_file) if self.allowed_file.exists() else _HEAD
        return [line for line in text.splitlines() if line.strip().partition(" ")[0] not in keys]

    def _write(self, lines: list[str]) -> None:
        self._make_folder()
        write_atomically(self.allowed_file, "".join(f"{line}\n" for line in lines).encode())

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StorageError(self.folder, error) from error


def read_key_pair(file: Path) -> KeyPair:
    """The key in a file of ``KeyRing.new``.

    Raises InputError if there is none, if it is damaged, or if others can read it.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError as error:
        problem = "this computer has no key yet: `darkscan keys new` makes it"
        raise InputError(problem, file=file) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    if stat.S_ISREG(mode) and mode & 0o077:
        problem = f"others can read or change this secret: chmod 600 {file}"
        raise InputError(problem, file=file)
    fields = dict(line.split(" ", 1) for line in read_text(file).splitlines() if " " in line)
    pair = KeyPair(fields.get("public", ""), fields.get("secret", ""))
    if not (is_key(pair.public) and is_key(pair.secret)):
        raise InputError("holds no key: `darkscan keys new --force` makes one", file=file)
    if zmq.curve_public(pair.secret.encode()) != pair.public.encode():
        raise InputError("its public half is of another key than its secret half", file=file)
    return pair


def warn_of_insecure_link(address: str) -> None:
    """Says loudly what --insecure means; both sides of a link do."""
    _log.warning(
        "--insecure: nothing is encrypted and nobody is asked for a key; for a trusted bench only",
        address=address,
    )


def one_of(ring: KeyRing, wanted: str | None, what: str, field: str) -> str:
    """The public key of the computer to speak with: the one that is ``wanted``, else the only one.

    ``wanted``: a key, or the name of an allowed one; ``what``: what the computer is, for people.
    Raises InputError that names ``field``, the option, and says what to type.
    """
    if wanted:
        return ring.find(wanted, field=field)
    allowed = ring.allowed()
    if len(allowed) == 1:
        return next(iter(allowed))
    if allowed:
        names = ", ".join(sorted(allowed.values()))
        raise InputError(f"several {what}s are allowed, name one: {names}", field=field)
    problem = (
        f"no {what} is allowed yet: `darkscan keys new` or `darkscan keys list` on it shows its "
        "key, `darkscan keys allow KEY NAME` here allows it"
    )
    raise InputError(problem, field=field)


def check_name(name: str) -> str:
    """Returns the name. Raises InputError unless it can stand in the list of allowed keys."""
    fits = name.isprintable() and 1 <= len(name) <= LONGEST_NAME and name == name.strip()
    if not fits or is_key(name):
        problem = f"must be 1 to {LONGEST_NAME} printable characters and no key, is {name!a:.100}"
        raise InputError(problem, field="NAME")
    return name


def _draw() -> KeyPair:
    """A new key whose public half can be typed without quotes."""
    while True:
        public, secret = zmq.curve_keypair()
        pair = KeyPair(public.decode(), secret.decode())
        if _EASILY_TYPED.fullmatch(pair.public):
            return pair


def _parse(file: Path) -> dict[str, str]:
    allowed: dict[str, str] = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):  # with which no key begins
            continue
        key, _, name = line.strip().partition(" ")
        name = name.strip()
        if not is_key(key):
            raise InputError("begins with no key", file=file, field=f"line {number}")
        try:
            check_name(name)
        except InputError as error:
            problem = f"the name {error.problem}"
            raise InputError(problem, file=file, field=f"line {number}") from error
        if key in allowed or name in allowed.values():
            raise InputError("its key or name is there twice", file=file, field=f"line {number}")
        allowed[key] = name
    return allowed
