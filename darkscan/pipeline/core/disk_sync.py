"""Brings a file to the disk beside the work that fills it."""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

SYNC_EVERY_S = 1.0
"""What a power cut can take: what was written in the last second, and in a sync's time."""

Item = TypeVar("Item")


class DiskSync(Generic[Item]):
    """Knows which of the things that were written to a file are on the disk.

    A thread waits for the disk, once a second, so that writing goes on meanwhile. Every method
    raises OSError when the disk did not take what it was given.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync")
        self._written: list[Item] = []
        self._on_its_way: list[Item] = []
        self._sync: Future[None] | None = None
        self._next = time.monotonic() + SYNC_EVERY_S

    def add(self, item: Item) -> None:
        """Takes note of something that the operating system has been handed."""
        self._written.append(item)

    def arrived(self) -> list[Item]:
        """What has reached the disk since the last call; begins the next sync when it is time."""
        if self._sync is not None:
            return self._take(self._sync) if self._sync.done() else []
        if self._written and time.monotonic() >= self._next:
            self._begin()
        return []

    def finish(self) -> list[Item]:
        """Waits until all is on the disk; what has reached it since the last call."""
        items = [] if self._sync is None else self._take(self._sync)
        if self._written:
            items += self._take(self._begin())
        return items

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _begin(self) -> Future[None]:
        self._on_its_way, self._written = self._written, []
        self._sync = self._thread.submit(os.fdatasync, self._descriptor)
        return self._sync

    def _take(self, sync: Future[None]) -> list[Item]:
        self._sync = None
        self._next = time.monotonic() + SYNC_EVERY_S
        sync.result()
        items, self._on_its_way = self._on_its_way, []
        return items
