"""Sockets of links that leave this computer: their limits and deadlines."""

import zmq

HANDSHAKE_MS = 5000
"""Who has not shown its key by then is cut off."""

SILENT_MS = 10_000
"""Then a connection is taken for cut."""


def far_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    kind: int,
    address: str,
    *,
    largest: int,
    heartbeat_ms: int,
) -> zmq.Socket[bytes]:
    """A socket for one end of a link at ``address``, not yet bound or connected.

    ``largest``: bytes that a part of a message may have.
    """
    socket = context.socket(kind)
    options = {
        zmq.LINGER: 0,
        zmq.MAXMSGSIZE: largest,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
        zmq.HEARTBEAT_IVL: heartbeat_ms,
        zmq.HEARTBEAT_TIMEOUT: SILENT_MS,
        zmq.HEARTBEAT_TTL: SILENT_MS,
        zmq.IPV6: int("[" in address),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket
