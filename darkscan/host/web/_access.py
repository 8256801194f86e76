"""Who may ask: addresses, names of this host, the token, and sessions.

A request from this computer that names it by a loopback name needs no token, unless a token
file was given. Everything else needs the token, as a bearer token or exchanged for a session.

A session is a signed cookie: it outlives a restart of the host, and ends with its time, with
the token, or when its owner signs out.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from darkscan.host.web._refusal import Refusal
from darkscan.pipeline.core.errors import InputError, StorageError

COOKIE = "darkscan_session"
SESSION_SECONDS = 7 * 24 * 3600

TRIES = 5
"""Wrong tokens that an address may send within ``TRIES_SECONDS``."""

TRIES_SECONDS = 60.0

_SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 200
_MOST_ADDRESSES = 10_000
_MOST_SIGNED_OUT = 10_000
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Session(NamedTuple):
    """Who is signed in."""

    id: str
    name: str
    expires: int
    """Seconds since 1970."""


def read_token(file: Path) -> str:
    """The token in a file, or a new one, written there (0600). Raises InputError, StorageError."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return _new_token(file)
    except UnicodeDecodeError as error:
        raise InputError("is no token: it must be printable ASCII", file=file) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    long_enough = _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN
    if not long_enough or not token.isprintable() or " " in token:
        problem = f"must hold {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} printable characters, one word"
        raise InputError(problem, file=file)
    return token


def _new_token(file: Path) -> str:
    token = secrets.token_urlsafe(32)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(f"{token}\n")
            written.flush()
            os.fsync(descriptor)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(file, error) from error
    return token


def is_loopback(address: str) -> bool:
    """Whether an IP address is this computer's own, reached from nowhere else."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


class HostNames:
    """The names by which this host may be asked: others are of pages that mean harm.

    A page elsewhere can have its own name lead to this computer (DNS rebinding); a browser then
    takes answers of this host for that page's own. Such a request has the page's name in its
    Host header.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        """``names``: allowed ones besides this computer's own, IP addresses and localhost."""
        own = {socket.gethostname(), socket.getfqdn()}
        own |= {f"{name}.local" for name in own if "." not in name}
        self._names = {name.lower() for name in own | set(names)} | _LOOPBACK_NAMES

    def allows(self, host: str) -> bool:
        """Whether a Host header names this host."""
        name = name_in(host)
        return name in self._names or _is_address(name)


def name_in(host: str) -> str:
    """The name in a Host header, without its port, in small letters; empty: malformed."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower()
    return name if port.isdecimal() else ""


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names the computer that the request comes from."""
    return name_in(host) in _LOOPBACK_NAMES


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


class Attempts:
    """Counts wrong tokens of each address, so that nobody can try many."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def blocked(self, address: str) -> int:
        """For how many more seconds an address may not try; 0: it may."""
        times = self._recent(address)
        if len(times) < TRIES:
            return 0
        return max(1, round(times[-TRIES] + TRIES_SECONDS - self._now()))

    def wrong(self, address: str) -> None:
        """An address sent a wrong token."""
        times = self._recent(address)
        self._wrong[address] = [*times[-TRIES:], self._now()]
        self._wrong.move_to_end(address)
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._now() - TRIES_SECONDS
        return [at for at in self._wrong.get(address, []) if at > since]


class Access:
    """The token, and the sessions that it opens."""

    def __init__(
        self,
        token: str | None,
        *,
        everywhere: bool = False,
        names: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """``token``: None if nobody but this computer can connect; ``everywhere``: it too needs it.

        ``names``: more names of this host.
        """
        self.token = token
        self.names = HostNames(names)
        self.attempts = Attempts()
        self._everywhere = everywhere
        self._now = now
        self._key = hmac.digest((token or secrets.token_hex()).encode(), b"session", "sha256")
        self._signed_out: OrderedDict[str, None] = OrderedDict()

    def is_free(self, peer: str, host: str) -> bool:
        """Whether a request from an address, for a Host, needs no token."""
        return not self._everywhere and is_loopback(peer) and is_loopback_name(host)

    def check(self, address: str, token: str) -> None:
        """Raises Refusal unless that is the token, or where the address has tried too often."""
        seconds = self.attempts.blocked(address)
        if seconds:
            problem = f"too many wrong tokens: try again in {seconds} s"
            raise Refusal(429, problem, {"retry-after": str(seconds)})
        if not self._right(token):
            self.attempts.wrong(address)
            raise Refusal(401, "that is not the host's token", {"www-authenticate": "Bearer"})

    def _right(self, token: str) -> bool:
        # Digests are compared, in a time that does not depend on what is wrong with the token.
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        wanted = hashlib.sha256((self.token or secrets.token_hex()).encode()).digest()
        return hmac.compare_digest(given, wanted)

    def sign_in(self, name: str) -> str:
        """The cookie of a new session."""
        session = Session(secrets.token_hex(8), name, int(self._now()) + SESSION_SECONDS)
        body = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
        return f"{body}.{self._signature(body)}"

    def session(self, cookie: str) -> Session | None:
        """The session of a cookie; None: forged, expired or signed out."""
        body, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return None
        try:
            session = Session(*json.loads(base64.urlsafe_b64decode(body)))
        except (binascii.Error, ValueError, TypeError):
            return None
        current = session.expires > self._now() and session.id not in self._signed_out
        return session if current else None

    def sign_out(self, session: Session) -> None:
        """Ends a session."""
        self._signed_out[session.id] = None
        while len(self._signed_out) > _MOST_SIGNED_OUT:
            self._signed_out.popitem(last=False)

    def _signature(self, body: str) -> str:
        return hmac.digest(self._key, body.encode(), "sha256").hex()
