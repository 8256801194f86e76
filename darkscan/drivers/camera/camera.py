"""A GenICam camera: opened, checked, set, and its buffers fetched one by one.

The bindings never let go of Python's lock, not even while they wait: a process that fetches
does nothing else, and waits in slices of 50 ms so that signals are seen.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from darkscan.drivers.camera._bindings import GENICAM_ERRORS, said
from darkscan.drivers.camera.buffers import Buffer, Chunks, Numbering, signed
from darkscan.drivers.camera.errors import CameraError, CameraGone
from darkscan.drivers.camera.nodes import (
    Mode,
    Nodes,
    lasting_nodes,
    line_encoder,
    output_mode,
    wanted_nodes,
)
from darkscan.drivers.camera.producer import Connection
from darkscan.drivers.camera.unpacking import LAYOUTS
from darkscan.drivers.rig import CameraSettings
from darkscan.pipeline.core.errors import InputError

_SLICE_S = 0.05
_SHAKING_COUNTS = 10
"""By which the encoder of an axis at rest may be off zero."""

_QUIET_S = 0.5
"""A camera that has sent nothing for so long is asked whether it is there."""


@dataclass
class Counts:
    """Counts of frames delivered and lost since the camera was first opened."""

    delivered: int = 0
    incomplete: int = 0
    """Buffers with missing parts; they are among those missed."""

    missed: int = 0
    """Frame numbers that were skipped."""

    underruns: int = 0
    """Frames for which the producer had no buffer, as it counts them."""


class Camera:
    """A camera that takes frames, or blocks of lines, when it is triggered."""

    def __init__(
        self,
        settings: CameraSettings,
        mode: Mode,
        *,
        encoder: bool = False,
        encoder_divider: int = 1,
        file: Path | None = None,
    ) -> None:
        """Opens the camera and sets it; nothing moves and nothing is taken yet.

        ``encoder``: the encoder's counts are needed with each buffer; ``encoder_divider``:
        counts from line to line; ``file``: the rig file, for errors.

        Raises InputError, with the rig file's field, if there is no such producer or camera,
        or if the camera cannot be set as wanted.
        """
        self.settings, self._mode, self._file = settings, mode, file
        self._encoder, self._divider = encoder, encoder_divider
        self._counts = Counts()
        self._layout = LAYOUTS[settings.pixel_format]
        if settings.width % self._layout.pixels:
            raise InputError(
                f"{settings.pixel_format} needs a multiple of {self._layout.pixels}, "
                f"not {settings.width}",
                file=file,
                field="camera.width",
            )
        self._line_encoder = line_encoder(settings, mode)
        self._connection: Connection | None = None
        self._underruns_before: int | None = None
        self._connect()

    @property
    def counts(self) -> Counts:
        """Counts of frames delivered and lost since the camera was first opened."""
        return replace(self._counts, underruns=self._counts.underruns + self._underruns_now())

    def arm(self, direction: int = 1) -> None:
        """Starts the acquisition; frames are numbered from 0 again.

        The encoder, if one is used, is zeroed first, and lines are triggered by it while its
        counts rise (``direction`` > 0) or fall. Raises CameraGone or CameraError.
        """
        acquirer = self._camera.acquirer  # before any node is touched: they may be gone
        self._numbering.begin()
        self._incomplete_before = self._counts.incomplete
        self._chunks.line_step = None
        with self._asking("cannot be started"):
            if self._line_encoder:
                self._chunks.line_step = self._divider if direction > 0 else -self._divider
                self._nodes.apply(output_mode(direction))
            if self._encoder or self._line_encoder:
                self._execute("EncoderReset")
                self._require_zero()
            self._underruns_before = 0
            acquirer.start()
            self._underruns_before = self._underruns_now()
        self._heard = time.monotonic()

    def trigger(self) -> None:
        """Takes a frame by software. Raises CameraGone or CameraError."""
        self._require_open()
        with self._asking("cannot be triggered"):
            self._execute("TriggerSoftware")

    @contextmanager
    def fetch(self, timeout_s: float) -> Iterator[Buffer | None]:
        """The next buffer, which is handed back to the producer on leaving the ``with``.

        None: nothing came in time, or what came was incomplete (``counts`` tell). Raises
        CameraGone if the camera does not answer any more, CameraError if what it sends is not
        what it was set to.
        """
        raw = self._next(timeout_s)
        if raw is None:
            yield None
            return
        try:
            with self._asking("sends what cannot be read"):
                buffer = self._buffer(raw)
            yield buffer
        finally:
            # One that is gone takes no buffers back; the next fetch says so. Cleared, which is
            # the bindings' default, a buffer would cost as much again as the copy of it.
            with suppress(*GENICAM_ERRORS):
                raw.parent.queue_buffer(raw, clear_buffer=False)

    def disarm(self) -> None:
        """Stops the acquisition; buffers not fetched are dropped. Never fails."""
        if self._connection is None:
            return
        self._counts.underruns += self._underruns_now()
        self._underruns_before = None
        with suppress(*GENICAM_ERRORS):
            self._connection.acquirer.stop()

    def reopen(self) -> None:
        """Opens a camera that was gone anew, and sets it. Raises CameraGone if it still is."""
        self.close()
        try:
            self._connect()
        except (InputError, CameraError) as error:
            raise CameraGone(str(error)) from error

    def close(self) -> None:
        """Stops and lets go of the camera, gone or not."""
        if self._connection is not None:
            self.disarm()
            connection, self._connection = self._connection, None
            connection.close()

    def _connect(self) -> None:
        self._connection = Connection(self.settings, self._file)
        try:
            with self._asking("cannot be set"):
                self._set_up(self._connection)
        except BaseException:
            self.close()
            raise

    def _set_up(self, connection: Connection) -> None:
        self.name = connection.name
        node_map = connection.acquirer.remote_device.node_map
        self._nodes = Nodes(node_map, self.settings.names, self._file)
        for wanted in wanted_nodes(self.settings, self._mode, encoder_divider=self._divider):
            self._nodes.apply(wanted)
        for wanted in lasting_nodes(self.settings):
            self._nodes.require(wanted)
        lines = self._mode == "line"
        self._check_rate("AcquisitionLineRate" if lines else "AcquisitionFrameRate")
        self._chunks = Chunks(self._nodes, lines=lines, encoder=self._encoder, file=self._file)
        self._require_reset()
        connection.on_incomplete(self._count_incomplete)
        first = int(connection.numbers_from_1)
        self._numbering = Numbering(first, self.settings.id_wraps_at)

    def _require_reset(self) -> None:
        """Raises InputError for an encoder whose counts cannot be zeroed."""
        uses_encoder = self._encoder or self._line_encoder
        left_alone = self.settings.names.get("EncoderReset") == ""
        if uses_encoder and not left_alone and self._nodes.named("EncoderReset") is None:
            raise InputError(
                "this camera has no node EncoderReset, and the encoder's counts must begin at 0 "
                'where a strip begins; name its own, or "" if the start of the acquisition does it',
                file=self._file,
                field="camera.names.EncoderReset",
            )

    def _require_zero(self) -> None:
        """Raises CameraError if the encoder's count is none of an axis that has not moved."""
        node = self._nodes.find("EncoderValue")
        if node is None:
            return
        count = signed(int(node.get_value(ignore_cache=True)))
        if abs(count) > max(self._divider, _SHAKING_COUNTS):
            raise CameraError(
                f"{self.name} has EncoderValue = {count} after EncoderReset: its lines would be "
                "placed from a wrong zero"
            )

    def _check_rate(self, node: str) -> None:
        largest = self._nodes.largest(node)
        if largest is not None and self.settings.rate_hz > largest * 1.001:
            raise InputError(
                f"{self.settings.rate_hz:g} is more than this camera takes, {largest:g} a second",
                file=self._file,
                field="camera.rate_hz",
            )

    @property
    def _camera(self) -> Connection:
        self._require_open()
        assert self._connection is not None, "just required"
        return self._connection

    def _require_open(self) -> None:
        if self._connection is None:
            raise CameraGone(f"{self.name} is closed")

    def _next(self, timeout_s: float) -> Any:
        """The next of genicam's buffers, or None."""
        incomplete = self._counts.incomplete
        end = time.monotonic() + timeout_s
        while True:
            left = max(end - time.monotonic(), 0.0)
            acquirer = self._camera.acquirer
            with self._asking("sends nothing any more"):
                self._wait_in_slices_of(acquirer, round(1000 * min(left, _SLICE_S)))
                # harvesters waits for ever when told to wait for no time at all.
                raw = acquirer.try_fetch(timeout=max(min(left, _QUIET_S), 0.001), is_raw=True)
            now = time.monotonic()
            if raw is not None or self._counts.incomplete > incomplete:
                self._heard = now
                return raw
            if now - self._heard > _QUIET_S:
                self._heard = now
                if not self._nodes.is_alive():
                    raise CameraGone(f"{self.name} does not answer any more")
            if now >= end:
                return None

    @staticmethod
    def _wait_in_slices_of(acquirer: Any, slice_ms: int) -> None:
        if slice_ms != acquirer.timeout_period_on_update_event_data_call:  # setting it is slow
            acquirer.timeout_period_on_update_event_data_call = slice_ms

    def _buffer(self, raw: Any) -> Buffer:
        numbered = self._numbering.add(raw.frame_id)
        incomplete = self._counts.incomplete - self._incomplete_before
        self._incomplete_before = self._counts.incomplete
        self._counts.delivered += 1
        self._counts.missed += numbered.missed
        return Buffer(
            raw,
            self._layout,
            self.settings.width,
            numbered=numbered,
            incomplete=min(incomplete, numbered.missed),
            chunks=self._chunks,
        )

    def _underruns_now(self) -> int:
        """Since the acquisition began, as far as the producer counts them."""
        if self._underruns_before is None:
            return 0
        underruns = 0
        for stream in self._camera.acquirer.data_streams:
            with suppress(*GENICAM_ERRORS):
                underruns += stream.num_underrun
        return max(underruns - self._underruns_before, 0)

    def _count_incomplete(self) -> None:
        self._counts.incomplete += 1

    def _execute(self, command: str) -> None:
        if (node := self._nodes.find(command)) is not None:
            node.execute()

    @contextmanager
    def _asking(self, failure: str) -> Iterator[None]:
        """Tells a camera that is gone from one that refuses."""
        try:
            yield
        except GENICAM_ERRORS as error:
            if self._nodes.is_alive():
                raise CameraError(f"{self.name} {failure}: {said(error)}") from error
            raise CameraGone(f"{self.name} does not answer any more") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
