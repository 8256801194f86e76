"""What the sockets of both ends of the link to workers have in common."""

import zmq

_HEARTBEAT_MS = 1000
_HANDSHAKE_MS = 5000
SILENT_MS = 10_000
"""Then a connection is taken for cut."""


def remote_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str, *, largest: int
) -> zmq.Socket[bytes]:
    """A socket for one end of the link; ``largest``: bytes that a part of a message may have."""
    socket = context.socket(kind)
    options = {
        zmq.LINGER: 0,
        zmq.MAXMSGSIZE: largest,
        zmq.HANDSHAKE_IVL: _HANDSHAKE_MS,
        zmq.HEARTBEAT_IVL: _HEARTBEAT_MS,
        zmq.HEARTBEAT_TIMEOUT: SILENT_MS,
        zmq.HEARTBEAT_TTL: SILENT_MS,
        zmq.IPV6: int("[" in address),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket


def why(problem: str, error: zmq.ZMQError) -> str:
    """A problem with libzmq's reason for it."""
    return f"{problem}: {zmq.strerror(error.errno or 0)}"
