"""The account of a run for the host: each settled frame is told once, and shown in the picture."""

import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.host_link.messages import Pyramid, Tile
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.journal import JOURNAL_NAME, JournalFollower, Settled
from darkscan.stages.uplink._pyramid import pyramid_of
from darkscan.stages.uplink._settled import SettledFrames
from darkscan.stages.uplink.picture import Picture
from darkscan.stages.uplink.pixels import PixelsOf

_log = structlog.get_logger(__name__)

_TELL_EVERY_S = 1.0
_TOLD_AT_ONCE = 64
_AT_ONCE = 8
_REVISIONS_A_FRAME = 2
_FEWEST_REVISIONS = 6
_REVISIONS_A_RUN = 100_000
"""More than there are of any tile: a run that goes on makes the picture anew."""

_TOLD_TO = "journal"
"""The key under which the outbox keeps how far in the journal frames were told."""


class Account:
    """Follows a run's journal into the outbox.

    What was told is kept with the parcel that tells it, and what was shown with the tiles, in
    the run's folder: a process that takes over from a killed one goes on where that one was.
    """

    def __init__(
        self, run_dir: Path, spec: RunSpec, plan: Sequence[FrameMeta], outbox: Outbox
    ) -> None:
        self._scan = spec.scan_id
        self._outbox = outbox
        self._describe = SettledFrames(spec.scan, spec.model)
        self._journal = JournalFollower(spec.out_dir / JOURNAL_NAME)
        self._untold: list[tuple[int, Settled]] = []
        self._told_to = int(outbox.load_state(self._scan).get(_TOLD_TO, b"0"))
        self._tell_at = 0.0
        self._revise_at = 0.0
        self._shown_since = 0
        self._problem_told = False
        self._waiting_for_pixels: list[FrameResult] = []
        self._picture = self._begin_picture(run_dir, spec, pyramid_of(spec.scan), plan)
        self.settled = 0
        """How many frames of the journal were read by this process."""

    @property
    def not_pictured(self) -> int:
        """Inspected frames that are not in the picture, or not all of them."""
        return 0 if self._picture is None else self._picture.not_pictured

    def read_on(self, pixels_of: PixelsOf) -> list[Settled]:
        """Reads a few more settled frames and shows them; tells them with ``tell``."""
        new = self._journal.new_places(_AT_ONCE)
        for end, record in new:
            self._show(record, pixels_of)
            if end > self._told_to:
                self._untold.append((end, record))
        self.settled += len(new)
        return [record for _, record in new]

    def show_late(self, pixels_of: PixelsOf, *, at_last: bool = False) -> None:
        """Shows frames whose pixels were not to be had before.

        at_last: those that are not to be had now are counted, and waited for no more.
        """
        waiting, self._waiting_for_pixels = self._waiting_for_pixels, []
        for result in waiting:
            self._show(result, pixels_of)
        if self._picture is not None and at_last:
            for result in self._waiting_for_pixels:
                self._picture.leave_out(result.meta.frame, inspected=True)
            self._waiting_for_pixels.clear()

    def tell(self, *, now: bool = False) -> None:
        """Puts what is new into the outbox, about once a second, or ``now``.

        While the disk is full it stays here, and is put when there is room.
        """
        moment = time.monotonic()
        try:
            while self._untold and (
                now or moment >= self._tell_at or len(self._untold) >= _TOLD_AT_ONCE
            ):
                self._tell(self._untold[:_TOLD_AT_ONCE])
                self._tell_at = moment + _TELL_EVERY_S
            if self._picture is not None and (now or moment >= self._revise_at):
                self._revise_at = moment + _TELL_EVERY_S
                revisions = max(_FEWEST_REVISIONS, _REVISIONS_A_FRAME * self._shown_since)
                self._shown_since = 0
                self._picture.hand_on(self._put, revisions=revisions)
            self._problem_told = False
        except StorageError as error:
            self._complain(error)

    def _tell(self, some: list[tuple[int, Settled]]) -> None:
        told_to = some[-1][0]
        content = self._describe.describe([record for _, record in some])
        self._outbox.put(self._scan, content, states={_TOLD_TO: b"%d" % told_to})
        self._told_to = told_to
        del self._untold[: len(some)]

    def _put(self, tiles: Sequence[Tile]) -> None:
        self._outbox.put_tiles(self._scan, tiles)

    def _show(self, record: Settled, pixels_of: PixelsOf) -> None:
        picture, meta = self._picture, record.meta
        if picture is None or not picture.awaits(meta.frame):
            return
        if not isinstance(record, FrameResult):
            picture.leave_out(meta.frame, inspected=False)
            return
        pixels = pixels_of(meta)
        if pixels is None:
            self._waiting_for_pixels.append(record)
            return
        try:
            picture.show(meta, pixels, self._describe.found_px(record), self._put)
            self._shown_since += 1
        except StorageError as error:  # tiles had to make room, and the disk is full
            self._complain(error)
            picture.leave_out(meta.frame, inspected=True)

    def _complain(self, error: StorageError) -> None:
        if not self._problem_told:
            _log.warning("the outbox takes nothing", reason=str(error))
        self._problem_told = True

    @staticmethod
    def _begin_picture(
        run_dir: Path, spec: RunSpec, pyramid: Pyramid | None, plan: Sequence[FrameMeta]
    ) -> Picture | None:
        if pyramid is None:
            return None
        try:
            before = spec.resumptions * _REVISIONS_A_RUN
            return Picture(spec.scan, pyramid, plan, run_dir, revisions_before=before)
        except StorageError as error:
            _log.warning("no picture is made", reason=str(error))
            return None
