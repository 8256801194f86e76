"""The folder of keys: secrets stay secret, and a list that people edit says what is wrong."""

import os
from pathlib import Path

import pytest
import zmq
from structlog.testing import LogCapture

from darkscan.pipeline.access.keys import KeyRing, is_key, read_key_pair
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.host_link.target import target_of


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


def key() -> str:
    return zmq.curve_keypair()[0].decode()


def test_a_new_key_is_its_owners_alone_and_is_replaced_only_if_that_is_meant(
    ring: KeyRing,
) -> None:
    before = os.umask(0)  # the folder and the file are closed whatever the user's habits
    try:
        pair = ring.new()
    finally:
        os.umask(before)
    assert ring.own() == pair
    assert ring.own_file.stat().st_mode & 0o777 == 0o600
    assert ring.folder.stat().st_mode & 0o777 == 0o700
    assert (ring.folder / "own.pub").read_text() == f"{pair.public}\n"
    with pytest.raises(InputError, match="exists already; --force"):
        ring.new()
    assert ring.own() == pair
    assert ring.new(force=True) != pair


def test_our_public_keys_need_no_quotes(ring: KeyRing) -> None:
    public = ring.new().public
    assert public[0].isalnum()
    assert not set(public) & set(" !*?&<>()[]{}$#%^'\"\\|;~`")


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (None, 0o600, "`darkscan keys new` makes it"),
        ("", 0o600, "holds no key"),
        ("public abc\nsecret abc\n", 0o600, "holds no key"),
        ("{0}", 0o644, "others can read or change this secret: chmod 600"),
        ("public {1}\nsecret {2}\n", 0o600, "its public half is of another key"),
    ],
    ids=["none", "empty", "no keys", "readable by others", "halves of two keys"],
)
def test_an_own_key_that_cannot_be_used_is_named_with_what_to_do(
    ring: KeyRing, content: str | None, mode: int, told: str
) -> None:
    pair = ring.new()
    own = ring.own_file.read_text()
    if content is None:
        ring.own_file.unlink()
    else:
        ring.own_file.write_text(content.format(own, key(), pair.secret))
        ring.own_file.chmod(mode)
    with pytest.raises(InputError, match=told) as failed:
        read_key_pair(ring.own_file)
    assert str(failed.value).startswith(str(ring.own_file))


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("x" * 39, False),
        ("x" * 41, False),
        ("#" * 40, False),
        ('"' * 40, False),
        ("0" * 40, True),
        ("#####" + "0" * 35, False),
        ("%nSc0" + "0" * 35, True),
        ("%nSc1" + "0" * 35, False),
    ],
    ids=[
        "too short",
        "too long",
        "too large",
        "other characters",
        "zeros",
        "too large at first",
        "the largest four bytes",
        "one more than these",
    ],
)
def test_what_is_a_key(text: str, *, so: bool) -> None:
    assert is_key(text) is so


def test_allowed_keys_are_read_anew_when_their_file_changes(ring: KeyRing) -> None:
    assert ring.allowed() == {}
    one, two = key(), key()
    KeyRing(ring.folder).allow(one, "rig A")
    assert ring.allowed() == {one: "rig A"}
    with ring.allowed_file.open("a") as file:
        file.write(f"\n# a remark\n  {two}   rig  B \n")
    assert ring.allowed() == {one: "rig A", two: "rig  B"}
    KeyRing(ring.folder).remove("rig A")
    assert ring.allowed() == {two: "rig  B"}
    assert "# a remark" in ring.allowed_file.read_text()
    ring.allow(two, "rig C")
    ring.remove(two)
    assert ring.allowed() == {}
    ring.allowed_file.unlink()
    assert ring.allowed() == {}


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("nonsense", "rig", "KEY: is no public key"),
        ("{0}", "", "NAME: must be 1 to 80 printable characters"),
        ("{0}", "x" * 81, "NAME: must be"),
        ("{0}", "two\nlines", "NAME: must be"),
        ("{0}", " rig", "NAME: must be"),
        ("{0}", "{0}", "NAME: must be"),
        ("{0}", "taken", "NAME: 'taken' has another key"),
    ],
    ids=["no key", "no name", "long", "two lines", "blank first", "a key as name", "taken"],
)
def test_what_cannot_be_allowed_is_refused(ring: KeyRing, text: str, name: str, told: str) -> None:
    ring.allow(key(), "taken")
    before = ring.allowed_file.read_bytes()
    new = key()
    with pytest.raises(InputError, match=told):
        ring.allow(text.replace("{0}", new), name.replace("{0}", new))
    assert ring.allowed_file.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense rig", "line 1: begins with no key"),
        ("{0}", "line 1: the name must be"),
        ("{0} rig\n{0} other", "line 2: its key or name is there twice"),
        ("{0} rig\n{1} rig", "line 2: its key or name is there twice"),
    ],
    ids=["no key", "no name", "a key twice", "a name twice"],
)
def test_a_list_that_is_wrong_is_named_with_the_line(ring: KeyRing, line: str, told: str) -> None:
    ring.folder.mkdir()
    ring.allowed_file.write_text(line.replace("{0}", key()).replace("{1}", key()))
    with pytest.raises(InputError, match=told) as failed:
        ring.allowed()
    assert str(failed.value).startswith(str(ring.allowed_file))


def test_the_only_allowed_host_is_meant_and_of_several_the_named_one(ring: KeyRing) -> None:
    ring.new()
    address = "tcp://host:5580"
    with pytest.raises(InputError, match="no host is allowed yet"):
        target_of(address, ring=ring)
    one, two, other = key(), key(), key()
    ring.allow(one, "one")
    assert target_of(address, ring=ring).server_key == one
    ring.allow(two, "two")
    with pytest.raises(InputError, match="--host-key: several hosts are allowed, name one: one, t"):
        target_of(address, ring=ring)
    assert target_of(address, "two", ring=ring).server_key == two
    assert target_of(address, other, ring=ring).server_key == other
    with pytest.raises(InputError, match="--host-key: is neither a key nor the name"):
        target_of(address, "three", ring=ring)


def test_an_insecure_target_has_no_key_wants_none_and_is_warned_of(
    tmp_path: Path, no_unexpected_errors: LogCapture
) -> None:
    assert target_of("tcp://host:1", insecure=True).insecure
    (warning,) = no_unexpected_errors.entries
    assert warning["log_level"] == "warning"
    assert "--insecure: nothing is encrypted" in warning["event"]
    with pytest.raises(InputError, match="--host-key: has no meaning with --insecure"):
        target_of("tcp://host:1", "key", insecure=True)
    with pytest.raises(InputError, match="--host: must read tcp://HOST:PORT"):
        target_of("host:1", insecure=True)
    with pytest.raises(InputError, match=r"own\.key: this computer has no key yet"):
        target_of("tcp://host:1", ring=KeyRing(tmp_path))
