"""Figures for Prometheus, see docs/reference/host-api.md for what each means."""

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

import msgpack
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from darkscan.host.store import ScanQuery, Store
from darkscan.pipeline.host_link.messages import Content, Parcel, Receipt

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_KINDS = frozenset(kind.__name__ for kind in get_args(Content))
_PLACES = frozenset({"assets", "healthz", "metrics"})
_THINGS = frozenset(
    {
        *("scans", "frames", "shapes", "defects", "picture", "areas", "tiles", "map", "run"),
        *("trace", "performance", "reviews", "events", "session"),
    }
)
_HEAD_BYTES = 64
_RUNNING = ScanQuery(limit=1000, state="running")


class Metrics:
    """The figures of one host."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._commits = Histogram(
            "darkscan_parcels_commit_seconds",
            "Time to keep what came from a rig at once.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._parcels = Counter(
            "darkscan_parcels_received",
            "Parcels from rigs.",
            ("kind", "outcome"),
            registry=registry,
        )
        self._requests = Histogram(
            "darkscan_requests_answer_seconds",
            "Time to answer a request; event streams are not among them.",
            ("what", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._cuts = Histogram(
            "darkscan_tiles_cut_seconds",
            "Time to cut a tile from a recording.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._streams = Gauge(
            "darkscan_streams_open_count", "Pages that listen for events.", registry=registry
        )
        self._rigs = Gauge(
            "darkscan_rigs_connected_count", "Rigs that are connected.", registry=registry
        )
        self._running = Gauge("darkscan_scans_running_count", "Scans that run.", registry=registry)
        self._bytes = Gauge(
            "darkscan_store_used_bytes", "Bytes on the disk.", ("what",), registry=registry
        )
        self._free = Gauge(
            "darkscan_store_free_bytes", "Bytes that the disk has left.", registry=registry
        )
        self.streams = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While a page listens for events."""
        self.streams += 1
        self._streams.set(self.streams)
        try:
            yield
        finally:
            self.streams -= 1
            self._streams.set(self.streams)

    @contextmanager
    def cutting(self) -> Iterator[None]:
        """While a tile is cut from a recording."""
        with self._cuts.time():
            yield

    def answered(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        """A request was answered; ``status`` 0: it was not, as the client had gone."""
        what = _what(scope["path"])
        if what != "events":
            self._requests.labels(what, f"{status // 100}xx").observe(seconds)

    def received(
        self, parcels: Sequence[Parcel], receipts: Sequence[Receipt], seconds: float
    ) -> None:
        """Parcels of a rig were kept, at once, in so many seconds."""
        self._commits.observe(seconds)
        for parcel, receipt in zip(parcels, receipts, strict=True):
            self._parcels.labels(_kind(parcel.content), receipt.outcome).inc()

    def text(self, store: Store, *, rigs: int) -> tuple[bytes, str]:
        """All figures as Prometheus reads them, and their media type."""
        self._rigs.set(rigs)
        self._running.set(len(store.scans(_RUNNING).scans))
        sizes = store.sizes()
        self._bytes.labels("database").set(sizes.database)
        self._bytes.labels("tiles").set(sizes.tiles)
        self._free.set(sizes.free)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


def _what(path: str) -> str:
    """A word for what a path asks for; few words, so that figures do not grow without bound."""
    parts = path.split("/")
    if parts[1:2] != ["api"]:
        return parts[1] if parts[1] in _PLACES else "page"
    return next((part for part in reversed(parts[2:]) if part in _THINGS), "other")


def _kind(content: bytes) -> str:
    """The kind of a parcel's content, as its first bytes say; "unknown": they do not."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(content[:_HEAD_BYTES])
    try:
        before_body = unpacker.read_map_header() - 1
        fields = {unpacker.unpack(): unpacker.unpack() for _ in range(before_body)}
    except (ValueError, TypeError, msgpack.UnpackException):
        return "unknown"
    kind = fields.get("kind")
    return kind if isinstance(kind, str) and kind in _KINDS else "unknown"
