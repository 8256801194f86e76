"""Several small frames in one call of a windowed model, one stacked below another.

A window of a windowed model sees nothing but itself, so it does not matter what frame it
lies in. A frame of few windows leaves a device idle between calls; several fill it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from darkscan.stages.inference.backend import FrameWindows, Seen


def frames_a_call(form: str, windows: int, batch: int) -> int:
    """How many frames of ``windows`` windows fill a batch; 1 where they cannot be stacked.

    form: the model's, see ``Conventions.form``; a dense model sees past a window's border.
    """
    return max(1, batch // max(1, windows)) if form == "windowed" else 1


def stacked(frames: Sequence[FrameWindows], places: int) -> FrameWindows:
    """The windows of frames of one shape as those of one frame that is ``places`` times as tall.

    The tall frame is as tall whether all places are taken or not, for devices that are set up
    for one shape. With one place the frame is given back as it is; else it is copied. Raises
    ValueError if the frames differ in shape or dtype, or are too many.
    """
    if places == 1:
        (single,) = frames
        return single
    kinds = {(windows.frame.shape, windows.frame.dtype) for windows in frames}
    if len(kinds) != 1 or len(frames) > places:
        raise ValueError(f"{len(frames)} frames of {kinds} do not fit {places} places")
    ((height, width), dtype), *_ = kinds
    tall = np.zeros((places * height, width), dtype)
    origins = []
    for place, windows in enumerate(frames):
        tall[place * height : (place + 1) * height] = windows.frame
        origins.append(windows.origins + np.array([place * height, 0], np.int32))
    return FrameWindows(
        tall,
        np.concatenate(origins),
        np.concatenate([windows.gains for windows in frames]),
        np.concatenate([windows.offsets for windows in frames]),
    )


def unstacked(seen: Seen, frames: Sequence[FrameWindows]) -> Iterator[Seen]:
    """What was seen in each of the frames that were stacked, in their order."""
    first = 0
    for windows in frames:
        part = slice(first, first + len(windows.origins))
        yield Seen(seen.scores[part], None if seen.lines is None else seen.lines[part])
        first = part.stop
