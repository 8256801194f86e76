"""Figures for Prometheus, see docs/reference/host-api.md for what each means."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


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
            ("outcome",),
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
