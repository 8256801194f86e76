"""What the sockets of both ends of the link to the host have in common."""

import zmq

from darkscan.pipeline.access.sockets import far_socket
from darkscan.pipeline.host_link.messages import LARGEST_LINK_MESSAGE

_HEARTBEAT_MS = 2000


def link_socket(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str
) -> zmq.Socket[bytes]:
    """A socket for one end of the link at ``address``, not yet bound or connected."""
    return far_socket(
        context, kind, address, largest=LARGEST_LINK_MESSAGE, heartbeat_ms=_HEARTBEAT_MS
    )
