"""The host's side of the link: lets rigs in, takes their parcels, answers when they are kept."""

from darkscan.host.link.server import LinkFigures, LinkServer

__all__ = ["LinkFigures", "LinkServer"]
