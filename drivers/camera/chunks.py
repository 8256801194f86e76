"""What a camera says beside the pixels of a buffer: encoder counts and a counter."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.drivers.camera.bindings import GENICAM_ERRORS
from darkscan.drivers.camera.encoder_lines import encoder_lines
from darkscan.drivers.camera.nodes import Nodes
from darkscan.drivers.camera.wanted import Wanted
from darkscan.drivers.rig.camera import NodeValue
from darkscan.pipeline.errors import InputError

_ENCODER, _COUNTER = "EncoderValue", "CounterValue"
_UINT32 = 2**32


class Chunks:
    """Switches a camera's chunks on, and reads them of the buffer fetched last."""

    def __init__(self, nodes: Nodes, *, lines: bool, encoder: bool, file: Path | None) -> None:
        """``lines``: a buffer is a block of lines, each with a count of its own.

        Raises InputError if the ``encoder`` is needed and the camera does not tell its counts.
        """
        offered = nodes.offered("ChunkSelector")
        wanted = [chunk for chunk in (_ENCODER, _COUNTER) if chunk in offered]
        if encoder and _ENCODER not in offered:
            have = f"it offers {', '.join(offered)}" if offered else "it offers no chunks"
            problem = f"this camera does not tell its encoder's counts: no chunk {_ENCODER}; {have}"
            raise InputError(problem, file=file, field="motion.positions")
        if wanted:
            nodes.apply(_switched("ChunkModeActive", value=True))
        for chunk in wanted:
            nodes.apply(_switched("ChunkSelector", value=chunk))
            nodes.apply(_switched("ChunkEnable", value=True))
        # Looked up once: finding a node takes longer than reading it.
        self._encoder = nodes.named("ChunkEncoderValue") if _ENCODER in wanted else None
        self._counter = nodes.named("ChunkCounterValue") if _COUNTER in wanted else None
        self._line = nodes.named("ChunkScanLineSelector") if lines else None
        if encoder and lines and self._line is None:
            problem = "this camera does not tell its encoder's count for each line of a block"
            raise InputError(problem, file=file, field="motion.positions")
        self._lines = lines

    def encoder(self, rows: int, step: int | None) -> npt.NDArray[np.int64] | None:
        """Counts (rows,) of the rows, ``step`` apart where none is missing; None: not told."""
        if self._encoder is None or (self._lines and self._line is None):
            return None
        try:
            if self._lines:
                return encoder_lines(self._count_of_line, rows, step)
            return np.full(rows, signed(int(self._encoder.value)), np.int64)
        except GENICAM_ERRORS:
            return None

    def counter(self) -> int | None:
        """The counter, which may count triggers; None: not told."""
        with suppress(*GENICAM_ERRORS):
            return None if self._counter is None else int(self._counter.value)
        return None

    def _count_of_line(self, line: int) -> int:
        assert self._line is not None
        assert self._encoder is not None
        # Unverified: verifying takes twenty times as long, and the line is one of the block's.
        self._line.set_value(line, verify=False)
        return signed(int(self._encoder.value))


def _switched(node: str, *, value: NodeValue) -> Wanted:
    return Wanted(node, value, f"camera.names.{node}")


def signed(count: int) -> int:
    """A count; cameras that keep it in 32 bits without a sign wrap below zero."""
    return count - _UINT32 if _UINT32 // 2 <= count < _UINT32 else count
