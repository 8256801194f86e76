"""The ledger: the account of every frame from capture to the map.

It keeps each frame until merging has acknowledged it, so that nothing is lost without
being counted: captured = mapped + quarantined + lost + in flight, always.
"""

from collections import Counter
from dataclasses import dataclass

from darkscan.pipeline.core.frame_results import LedgerSums, NotInspected, Outcome
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId


@dataclass
class Entry:
    """One frame that is not acknowledged yet."""

    meta: FrameMeta
    slot: int | None
    failures: int = 0
    notice: NotInspected | None = None


class Ledger:
    """The account of all frames of a scan. Pure bookkeeping: no clock, no sockets."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._open: dict[FrameId, Entry] = {}
        self._settled: dict[FrameId, Outcome] = {}
        self._outcomes: Counter[Outcome] = Counter()

    def capture(self, meta: FrameMeta, slot: int) -> None:
        """A frame's pixels are in a slot. Raises ValueError if the frame is known already."""
        self._enter(Entry(meta, slot))

    def lose(self, meta: FrameMeta, reason: str) -> NotInspected:
        """A frame has no usable pixels: the notice that merging must acknowledge."""
        notice = NotInspected(meta=meta, kind="lost", reason=reason)
        self._enter(Entry(meta, None, notice=notice))
        return notice

    def fail(self, frame: FrameId, reason: str) -> bool:
        """A frame made an error; True if it has now failed too often and is quarantined."""
        entry = self._open.get(frame)
        if entry is None or entry.notice is not None:
            return False
        entry.failures += 1
        if entry.failures < self._attempts:
            return False
        self.set_aside(frame, f"failed {entry.failures} times: {reason}")
        return True

    def set_aside(self, frame: FrameId, reason: str) -> None:
        """Quarantines an open frame; its entry then has the notice for merging."""
        entry = self._open[frame]
        if entry.notice is None:
            entry.notice = NotInspected(meta=entry.meta, kind="quarantined", reason=reason)

    def acknowledge(self, frame: FrameId, outcome: Outcome) -> int | None:
        """Merging has the frame in its journal: the slot that is free now, if it had one.

        A second acknowledgement of a frame changes nothing and gives None.
        """
        entry = self._open.pop(frame, None)
        if entry is None:
            return None
        self._settle(frame, outcome)
        return entry.slot

    def remember(self, frame: FrameId, outcome: Outcome) -> None:
        """A frame was settled before this ledger began (acquisition was restarted)."""
        self._require_unknown(frame)
        self._settle(frame, outcome)

    def forget(self, frame: FrameId) -> None:
        """A settled frame's result is gone: it may be entered anew."""
        self._outcomes[self._settled.pop(frame)] -= 1

    def knows(self, frame: FrameId) -> bool:
        """Whether the frame was entered before."""
        return frame in self._open or frame in self._settled

    def entry(self, frame: FrameId) -> Entry | None:
        """The open entry of a frame."""
        return self._open.get(frame)

    def unacknowledged(self) -> list[FrameId]:
        """All open frames, oldest first."""
        return list(self._open)

    def settled(self) -> set[FrameId]:
        """All frames that were acknowledged."""
        return set(self._settled)

    @property
    def sums(self) -> LedgerSums:
        """The account at this moment; it balances at every moment."""
        return LedgerSums(
            captured=len(self._open) + len(self._settled),
            mapped=self._outcomes["mapped"],
            quarantined=self._outcomes["quarantined"],
            lost=self._outcomes["lost"],
            in_flight=len(self._open),
        )

    def _enter(self, entry: Entry) -> None:
        self._require_unknown(entry.meta.frame)
        self._open[entry.meta.frame] = entry

    def _require_unknown(self, frame: FrameId) -> None:
        if self.knows(frame):
            raise ValueError(f"frame {frame} is in the ledger already")

    def _settle(self, frame: FrameId, outcome: Outcome) -> None:
        self._settled[frame] = outcome
        self._outcomes[outcome] += 1
