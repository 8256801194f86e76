"""Parcels' contents: read, and checked as far as each can be by itself."""

from typing import assert_never

from darkscan.host.store._frames import check_plan, check_settled
from darkscan.host.store._maps import PreparedMap, prepare_map
from darkscan.host.store._refusals import Refused
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link.messages import (
    FramesSettled,
    MapFinished,
    ScanBegan,
    ScanEnded,
    Tile,
    decode_content,
)

Readable = ScanBegan | FramesSettled | PreparedMap | ScanEnded | Tile
"""A content that can be kept, if its scan allows it."""


def read_content(data: bytes) -> Readable:
    """The content of a parcel. Raises Refused if it is none, or says what cannot be."""
    try:
        content = decode_content(data)
    except WireError as error:
        raise Refused(str(error)) from error
    match content:
        case ScanBegan():
            check_plan(content)
        case FramesSettled():
            check_settled(content)
        case MapFinished():
            return prepare_map(content)
        case ScanEnded() | Tile():
            pass
        case _:
            assert_never(content)
    return content
