"""What the sockets of both ends of the link have in common: their limits and deadlines."""

import zmq

from darkscan.pipeline.host_link.messages import LARGEST_LINK_MESSAGE

HANDSHAKE_MS = 5000
"""Who has not shown its key by then is cut off."""
HEARTBEAT_MS = 2000
SILENT_MS = 10_000
"""Then a connection is taken for cut."""


def link_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str
) -> zmq.Socket[bytes]:
    """A socket for one end of the link at ``address``, not yet bound or connected."""
    socket = context.socket(kind)
    options = {
        zmq.LINGER: 0,
        zmq.MAXMSGSIZE: LARGEST_LINK_MESSAGE,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
        zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
        zmq.HEARTBEAT_TIMEOUT: SILENT_MS,
        zmq.HEARTBEAT_TTL: SILENT_MS,
        zmq.IPV6: int("[" in address),
    }
    for option, value in options.items():
        socket.setsockopt(option, value)
    return socket
