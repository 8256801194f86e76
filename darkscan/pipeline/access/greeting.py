"""Asks what is behind a port, to say why it does not speak with us."""

import socket
import time
from contextlib import suppress

_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_MAJOR_VERSION = b"\x03"
_GREETING_BYTES = 64
_MECHANISM = slice(12, 32)


def mechanism_at(address: str, timeout_s: float = 1.0) -> str | None:
    """How a ZeroMQ port authenticates: "CURVE", "NULL" (not at all); None: it is no such port.

    ``address``: tcp://HOST:PORT. Waits ``timeout_s`` at most once it is connected, and as long
    to connect. ZeroMQ says it in the first 64 bytes (https://rfc.zeromq.org/spec/23/), before
    it asks for any key.
    """
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    greeting = b""
    with suppress(OSError):
        place = (host.strip("[]"), int(port))
        with socket.create_connection(place, timeout_s) as connection:
            connection.sendall(_SIGNATURE + _MAJOR_VERSION)
            deadline = time.monotonic() + timeout_s
            while len(greeting) < _GREETING_BYTES and (left := deadline - time.monotonic()) > 0:
                connection.settimeout(left)
                if not (data := connection.recv(_GREETING_BYTES - len(greeting))):
                    break
                greeting += data
    if len(greeting) < _GREETING_BYTES or greeting[0] != _SIGNATURE[0]:
        return None
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")
