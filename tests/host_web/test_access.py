"""Tokens, sessions and names: who is let in, and for how long."""

import stat
from pathlib import Path

import pytest

from darkscan.host.web._access import (
    SESSION_SECONDS,
    TRIES,
    TRIES_SECONDS,
    Access,
    Attempts,
    HostNames,
    is_loopback,
    read_token,
)
from darkscan.host.web._refusal import Refusal
from darkscan.pipeline.core.errors import InputError, StorageError

TOKEN = "a-token-of-a-test-0123456789"  # noqa: S105 - it opens nothing


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


def test_a_new_token_is_long_secret_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = read_token(file)
    assert len(token) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_token(file) == token
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"two words in a token file", b"x" * 201, b"caf\xc3\xa9-0123456789abcdef"],
    ids=["empty", "too short", "several words", "too long", "not ASCII"],
)
def test_a_file_without_a_usable_token_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"token: (must hold|is no token)"):
        read_token(file)


def test_a_token_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="token: cannot be written"):
        read_token(tmp_path / "nowhere" / "token")


@pytest.mark.parametrize(
    ("peer", "host", "free"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "LocalHost:80", True),
        ("::1", "[::1]:8080", True),
        ("::ffff:127.0.0.1", "localhost:1", True),
        ("127.0.0.1", "evil.example:8080", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.168.1.5:8080", False),
        ("127.0.0.1", "localhost:80:80", False),
        ("127.0.0.1", "localhost:eighty", False),
        ("127.0.0.1", "", False),
        ("192.168.1.7", "localhost:8080", False),
        ("", "localhost:8080", False),
    ],
)
def test_only_this_computer_by_a_name_of_its_own_needs_no_token(
    peer: str, host: str, free: bool
) -> None:
    assert Access(TOKEN).is_free(peer, host) is free
    assert not Access(TOKEN, everywhere=True).is_free(peer, host)


@pytest.mark.parametrize("address", ["10.0.0.1", "::", "fe80::1", "name", "", "1.2.3"])
def test_other_addresses_are_not_this_computers(address: str) -> None:
    assert not is_loopback(address)


def test_names_of_this_host_are_its_own_addresses_and_those_it_is_given() -> None:
    names = HostNames(["Scans.Lab.Example"])
    assert all(
        map(names.allows, ["localhost:1", "10.0.0.3:8080", "[fe80::1]", "scans.lab.example:80"])
    )
    assert not any(map(names.allows, ["", "evil.example", "lab.example", "a b", "10.0.0.3.evil"]))


def test_a_session_is_good_until_its_time_is_up() -> None:
    clock = Clock()
    access = Access(TOKEN, now=clock)
    cookie = access.sign_in("Ada")
    session = access.session(cookie)
    assert session is not None
    assert session.name == "Ada"
    clock.time += SESSION_SECONDS - 2
    assert access.session(cookie) is not None
    clock.time += 3
    assert access.session(cookie) is None


def test_a_session_outlives_a_restart_but_not_another_token() -> None:
    cookie = Access(TOKEN).sign_in("Ada")
    assert Access(TOKEN).session(cookie) is not None
    assert Access(TOKEN + "x").session(cookie) is None
    assert Access(None).session(cookie) is None


def test_a_session_ends_when_its_owner_signs_out_and_others_do_not() -> None:
    access = Access(TOKEN)
    cookie, other = access.sign_in("Ada"), access.sign_in("Ada")
    session = access.session(cookie)
    assert session is not None
    access.sign_out(session)
    assert access.session(cookie) is None
    assert access.session(other) is not None


@pytest.mark.parametrize(
    "forged",
    ["", ".", "abc", "abc.def", "e30=.", "\udcff.\udcff", "WzEsMiwzXQ==.00", "é.é"],
    ids=["nothing", "a dot", "a word", "two", "empty object", "no text", "a list", "accents"],
)
def test_a_forged_session_is_none(forged: str) -> None:
    assert Access(TOKEN).session(forged.encode("utf-8", "replace").decode("latin-1")) is None


def test_a_session_with_another_name_or_time_is_none() -> None:
    access = Access(TOKEN)
    body, signature = access.sign_in("Ada").split(".")
    other, _ = access.sign_in("Eve").split(".")
    assert access.session(f"{body}.{signature}") is not None
    assert access.session(f"{other}.{signature}") is None
    assert access.session(f"{body}.{signature[:-1]}") is None
    assert access.session(f"{body}.{signature}.") is None


def test_an_address_may_be_wrong_a_few_times_and_then_has_to_wait() -> None:
    clock = Clock()
    access = Access(TOKEN)
    access.attempts = Attempts(clock)
    for _ in range(TRIES):
        with pytest.raises(Refusal) as wrong:
            access.check("10.0.0.9", "wrong")
        assert wrong.value.status == 401
    for token in ("wrong", TOKEN):
        with pytest.raises(Refusal) as blocked:
            access.check("10.0.0.9", token)
        assert blocked.value.status == 429
        assert 0 < int(blocked.value.headers["retry-after"]) <= TRIES_SECONDS
    access.check("10.0.0.10", TOKEN)
    clock.time += TRIES_SECONDS + 1
    access.check("10.0.0.9", TOKEN)


def test_many_addresses_with_wrong_tokens_take_bounded_memory() -> None:
    attempts = Attempts()
    for number in range(30_000):
        attempts.wrong(f"address {number}")
    assert len(attempts._wrong) <= 10_000


def test_without_a_token_every_token_is_wrong() -> None:
    with pytest.raises(Refusal):
        Access(None).check("10.0.0.1", "")
