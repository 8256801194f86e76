"""What the sockets of both ends of the link to workers have in common."""

import zmq

from darkscan.pipeline.access.sockets import far_socket

_HEARTBEAT_MS = 1000


def remote_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str, *, largest: int
) -> zmq.Socket[bytes]:
    """A socket for one end of the link; ``largest``: bytes that a part of a message may have."""
    return far_socket(context, kind, address, largest=largest, heartbeat_ms=_HEARTBEAT_MS)


def why(problem: str, error: zmq.ZMQError) -> str:
    """A problem with libzmq's reason for it."""
    return f"{problem}: {zmq.strerror(error.errno or 0)}"
