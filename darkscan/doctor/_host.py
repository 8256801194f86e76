"""The host computer's store and ports."""

import errno
import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.request import urlopen

from darkscan.doctor._disks import check_disk
from darkscan.doctor._findings import Finding, Subject, ok, problem

_PRIVILEGED = 1024
_SQLITE = b"SQLite format 3\x00"


def check_store(subject: Subject) -> Iterator[Finding]:
    """The folder of the store: what lies in it, and its disk."""
    folder = subject.store
    if folder is None:
        return
    yield check_disk("store", folder)
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    databases = sorted(folder.glob("*.sqlite")) if names else []
    if names and not databases:
        advice = "name another folder, a new one will be made"
        yield problem("store", f"{folder} is neither a store nor empty", advice)
    for database in databases:
        with database.open("rb") as file:
            whole = file.read(len(_SQLITE)) == _SQLITE
        if not whole:
            advice = "start from a backup (`darkscan host backup`), or with another folder"
            yield problem("store", f"{database} is damaged: it is no database", advice)


def check_ports(subject: Subject) -> Iterator[Finding]:
    """Whether a host could listen where it would; one that runs already does."""
    if subject.store is None:
        return
    serves = _serves(subject.web)
    for name, address in (("link", subject.listen), ("page", subject.web)):
        yield _port(name, address, serves=serves)


def _port(name: str, address: str, *, serves: bool) -> Finding:
    match = re.fullmatch(r"(?:tcp://)?(?:\[([^\]]+)\]|([^:]+)):(\d+)", address)
    if match is None:
        return problem("ports", f"{address!a} is no address", "write HOST:PORT")
    host, port = match[1] or match[2], int(match[3])
    try:
        family, kind, number, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(place)
            tried.listen()
    except OSError as error:
        return _taken(name, address, error, serves=serves)
    return ok("ports", f"{address} is free for the {name}")


def _taken(name: str, address: str, error: OSError, *, serves: bool) -> Finding:
    if error.errno == errno.EADDRINUSE and serves:
        return ok("ports", f"{address}: darkscan's host runs there")
    if error.errno == errno.EADDRINUSE:
        advice = f"stop what listens there (ss -ltnp), or choose another port for the {name}"
        return problem("ports", f"{address} is in use by another program", advice)
    if error.errno == errno.EACCES:
        advice = f"choose a port of {_PRIVILEGED} or more"
        return problem("ports", f"{address}: this user may not listen there", advice)
    advice = "name an address of this computer (ip addr), or 0.0.0.0 for all of them"
    return problem("ports", f"{address}: nobody can listen there: {error.strerror}", advice)


def _serves(web: str) -> bool:
    """Whether darkscan's host serves its page at an address."""
    with suppress(OSError, ValueError), urlopen(f"http://{web}/healthz", timeout=2) as answer:
        return "status" in json.load(answer)
    return False
