"""Messages as bytes: a msgpack map ``{"v": version, "kind": name, "body": fields}``.

What comes from elsewhere is bounded while it is unpacked and checked field by field, so
that nobody can make us use more memory than a message may have, or believe a wrong type.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgpack
from pydantic import ValidationError

from darkscan.pipeline.core.frame_results import Record

_MAX_ITEMS = 65_536

RecordT = TypeVar("RecordT", bound=Record)


class WireError(ValueError):
    """Bytes that are no message of ours."""


class WireFormat(Generic[RecordT]):
    """The messages of one kind of link: their version, their kinds and their largest size."""

    def __init__(self, kinds: Sequence[type[RecordT]], *, version: int, largest: int) -> None:
        """``largest``: bytes that a message may have."""
        self.version = version
        self.largest = largest
        self._kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, message: RecordT) -> bytes:
        """The message's bytes. Raises WireError if nobody would accept them."""
        kind = type(message).__name__
        packed: bytes = msgpack.packb(
            {"v": self.version, "kind": kind, "body": message.model_dump()}
        )
        if len(packed) > self.largest:
            raise WireError(f"{kind} of {len(packed)} bytes is too large to send")
        return packed

    def decode(self, data: bytes) -> RecordT:
        """The message in some bytes. Raises WireError for anything that is none of ours."""
        envelope = self._unpack(data)
        if not isinstance(envelope, dict) or envelope.keys() != {"v", "kind", "body"}:
            raise WireError("not a darkscan message")
        if envelope["v"] != self.version:
            raise WireError(f"wire version {envelope['v']!r:.60} is not {self.version}")
        kind = self._kinds.get(str(envelope["kind"]))
        if kind is None:
            raise WireError(f"unknown kind of message {envelope['kind']!r:.60}")
        try:
            return kind.model_validate(envelope["body"])
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise WireError(f"{envelope['kind']}.{where}: {first['msg']}") from error

    def _unpack(self, data: bytes) -> Any:
        if len(data) > self.largest:
            raise WireError(f"{len(data)} bytes are more than a message may have")
        try:
            return msgpack.unpackb(
                data,
                max_array_len=_MAX_ITEMS,
                max_map_len=_MAX_ITEMS,
                max_bin_len=self.largest,
                max_str_len=_MAX_ITEMS,
                max_ext_len=0,
            )
        # RecursionError: deeply nested input; the others are msgpack's own.
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise WireError(f"not msgpack: {error}") from error
