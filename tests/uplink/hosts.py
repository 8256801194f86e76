"""A host without a store: it keeps in memory what rigs tell it, and can go away and come back."""

import socket
import zlib
from collections.abc import Sequence
from typing import Self, TypeVar

from darkscan.host.link import LinkServer
from darkscan.pipeline.host_link.messages import (
    Content,
    FramesSettled,
    MapFinished,
    News,
    Parcel,
    Progress,
    Receipt,
    ScanBegan,
    ScanEnded,
    Tile,
    decode_content,
)
from tests.uplink.pictures import Kept

ContentT = TypeVar("ContentT", bound=Content)


class Host:
    """Listens without keys at an address that stays the same."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.contents: list[tuple[str, Content]] = []
        self.news: list[Progress] = []
        self._known: set[bytes] = set()
        self._server: LinkServer | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Of a command, to send here."""
        return "--host", self.address, "--insecure"

    def start(self) -> Self:
        self._server = LinkServer(self.address, receive=self._receive, hear=self._hear, ring=None)
        self._server.__enter__()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)
        self._server = None

    def of(self, kind: type[ContentT], scan: str | None = None) -> list[ContentT]:
        """All that came of a kind, in order."""
        return [
            content
            for of, content in list(self.contents)
            if isinstance(content, kind) and scan in {None, of}
        ]

    @property
    def scans(self) -> list[str]:
        """The scans that were heard of, each once."""
        return list(dict.fromkeys(scan for scan, _ in self.contents))

    @property
    def tiles(self) -> Kept:
        """The tiles that came, the latest of each; fails if an older one came after a newer."""
        kept = Kept()
        kept(self.of(Tile))
        return kept

    @property
    def kinds(self) -> list[str]:
        """Of the durable parcels, in order; frames that were settled one after the other as one."""
        names = [type(content).__name__ for _, content in self.contents]
        durable = [name for name in names if name != "Tile"]
        return [
            name
            for before, name in zip(["", *durable], durable, strict=False)
            if name != before or name != "FramesSettled"
        ]

    @property
    def map_bytes(self) -> bytes:
        """The only map that came."""
        (finished,) = self.of(MapFinished)
        return zlib.decompress(finished.map_zlib)

    @property
    def ended(self) -> ScanEnded:
        """The only end that came."""
        (ended,) = self.of(ScanEnded)
        return ended

    @property
    def settled(self) -> list[int]:
        """The frames that were settled, in order."""
        return [frame for some in self.of(FramesSettled) for frame in some.frames.tolist()]

    @property
    def began(self) -> ScanBegan:
        """The only beginning that came."""
        (began,) = self.of(ScanBegan)
        return began

    def _receive(self, _rig: str, parcels: Sequence[Parcel]) -> list[Receipt]:
        receipts = []
        for parcel in parcels:
            known = parcel.id in self._known
            if not known:
                self._known.add(parcel.id)
                self.contents.append((parcel.scan, decode_content(parcel.content)))
            receipts.append(Receipt(id=parcel.id, outcome="known" if known else "stored"))
        return receipts

    def _hear(self, _rig: str, news: News) -> None:
        self.news.append(news.progress)
