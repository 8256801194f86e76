"""Measures a flat field from two recorded scans, with the light on and off."""

from dataclasses import dataclass
from datetime import date

import cv2
import numpy as np

from darkscan.drivers.calibration._flat_field import BadPixels, FlatField
from darkscan.drivers.calibration._glow import CELLS, mean_glow
from darkscan.drivers.calibration._header import Header, SensorSetup
from darkscan.drivers.calibration._stack import (
    Progress,
    Stack,
    read_stack,
    refuse_one_place,
    robust_mean,
    surroundings,
)
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.arrays import Float32Array, Mask
from darkscan.pipeline.core.errors import InputError

LEAST_LIGHT_FRAMES = 8
LEAST_DARK_FRAMES = 4

_SMOOTHING_PX = 8.0
_MOST_SATURATED = 0.01
_MOST_BAD = 0.01
_HIGHEST_GAIN = 8.0
_DIMMEST_FRAME = 0.5
_DEAD = 0.5
_DETAIL_SIGMAS = 5.0
_NORMAL_MAD = 1.4826
_SPARSE = 4


class FlatHeader(Header):
    """The figures of merit that a flat field's file states."""

    setup: SensorSetup


@dataclass(frozen=True)
class FlatQuality:
    """How well a flat field is known."""

    light_frames: int
    dark_frames: int
    level: float
    """Mean grey level of the light frames above the dark ones."""

    darkest: float
    """The light of the darkest part over the mean."""

    detail: float
    """The share of the differences between neighbouring pixels that was found to be the
    sensor's, and is corrected; the rest is noise of the measurement."""

    bright: int
    """Bad pixels (columns of a line camera) that shine by themselves."""

    dead: int
    """Pixels that see too little light."""


def measure_flat(
    light: Recording, dark: Recording, rig: Rig, *, progress: Progress = lambda _d, _t: None
) -> tuple[FlatField, FlatQuality]:
    """Finds dark level, gain and bad pixels of the rig's camera.

    ``light`` shows the element at several places along x and y, so that nothing that is on it
    stays where it is; ``dark`` was taken with the light off, anywhere. Raises InputError for
    too few frames, frames of one place, saturated frames, frames of another camera, and light
    that is no brighter than dark.
    """
    for recording in (light, dark):
        _refuse_other(recording, rig)
    refuse_one_place(light, least_frames=LEAST_LIGHT_FRAMES)
    usable = sum(meta.usable for meta in dark.frames)
    if usable < LEAST_DARK_FRAMES:
        problem = f"holds {usable} usable frames, {LEAST_DARK_FRAMES} are needed"
        raise InputError(problem, file=dark.path)
    line = rig.camera.kind == "line"
    unlit = read_stack(dark, line=line, level_out=False, progress=progress)
    lit = read_stack(light, line=line, level_out=True, progress=progress)
    if lit.saturated > _MOST_SATURATED:
        problem = f"{100 * lit.saturated:.0f} % of its pixels are saturated: expose less"
        raise InputError(problem, file=light.path)
    return _measure(lit, unlit, light, rig)


def header_for(rig: Rig, taken: date, valid_until: date) -> FlatHeader:
    """The header of a flat field measured with ``rig``."""
    return FlatHeader(setup=SensorSetup.of(rig), taken=taken, valid_until=valid_until)


def _measure(lit: Stack, unlit: Stack, light: Recording, rig: Rig) -> tuple[FlatField, FlatQuality]:
    bright = lit.fixed | unlit.fixed
    shining = BadPixels(_places(bright, light), bright.shape)
    dark, _ = without_noise(*_without(shining, *robust_mean(unlit)))
    levels = _levels(lit, dark)
    typical = float(np.median(levels))
    _refuse_no_light(typical, light, rig)
    # Frames beside the element show nothing.
    seen = levels > _DIMMEST_FRAME * typical
    lit, levels = lit.only(seen), levels[seen]
    level = float(np.mean(levels))
    means = robust_mean(lit, dark=dark, scales=level / levels)
    glow = _glow(lit, dark, light)
    mean, *halves = _without(shining, *(image / glow for image in means))
    dead = ~bright & (mean < _DEAD * surroundings(mean))
    bad = BadPixels(_places(bright | dead, light), mean.shape)
    flat, detail = without_noise(*_without(bad, mean, *halves))
    average = float(flat.mean())
    gain = np.minimum(average / np.maximum(flat, average / _HIGHEST_GAIN), _HIGHEST_GAIN)
    quality = FlatQuality(
        light_frames=len(lit.looks),
        dark_frames=len(unlit.looks),
        level=level,
        darkest=float(flat.min()) / average,
        detail=detail,
        bright=int(bright.sum()),
        dead=int(dead.sum()),
    )
    field = FlatField(dark, gain.astype(np.float32), bad, bit_depth=rig.camera.bit_depth)
    return field, quality


def without_noise(
    mean: Float32Array, half: Float32Array, other: Float32Array
) -> tuple[Float32Array, float]:
    """The mean image less the measurement's noise, and the share of its detail that is real.

    What is smooth over 8 pixels is well measured and stays. Detail is kept in the share in
    which two independent halves of the frames agree on it (Wiener's filter): a thousand
    frames of lines give each column its own gain, sixty dim frames give hardly any pixel its.
    Single pixels far out stay whole.
    """
    smooth = _smooth(mean)
    detail = mean - smooth
    sigma = _NORMAL_MAD * float(np.median(np.abs(detail[:, ::_SPARSE])))
    far = np.abs(detail) > _DETAIL_SIGMAS * sigma
    first, second = (half - _smooth(half))[~far], (other - _smooth(other))[~far]
    power = float(np.mean(np.square(detail[~far]))) if first.size else 0.0
    share = float(np.clip(np.mean(first * second) / power, 0.0, 1.0)) if power > 0 else 0.0
    kept: Float32Array = smooth + np.where(far, detail, np.float32(share) * detail)
    return kept.astype(np.float32), share


def _smooth(image: Float32Array) -> Float32Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _SMOOTHING_PX), dtype=np.float32)


def _without(bad: BadPixels, *images: Float32Array) -> tuple[Float32Array, ...]:
    for image in images:
        bad.replace(image)
    return images


def _glow(lit: Stack, dark: Float32Array, light: Recording) -> Float32Array:
    """The element's own share of the mean frame, (h, w) about 1."""
    info = light.info
    glow = mean_glow(
        (
            lit.cells
            - cv2.resize(
                dark,
                (CELLS, len(lit.cells[0]) if len(dark) > 1 else 1),
                interpolation=cv2.INTER_AREA,
            )
        ).astype(np.float64),
        lit.frames,
        info.frame_shape,
        info.pixel_to_stage,
        line=len(dark) == 1,
    )
    enlarged = cv2.resize(glow.astype(np.float32), dark.shape[::-1])
    return np.asarray(enlarged, dtype=np.float32)


def _levels(stack: Stack, dark: Float32Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each frame's own brightness above the dark level, (N,)."""
    step = 1 if stack.looks.shape[1] == 1 else _SPARSE
    some = (look[::step, ::_SPARSE] - dark[::step, ::_SPARSE] for look in stack.looks)
    return np.array([float(np.mean(look)) for look in some])


def _refuse_no_light(level: float, light: Recording, rig: Rig) -> None:
    grey = 2.0 ** (rig.camera.bit_depth - 8)
    if level <= -grey:
        problem = f"is darker than the dark frames by {-level:.1f} grey levels: exchanged?"
        raise InputError(problem, file=light.path)
    if level < grey:
        problem = f"is brighter than the dark frames by {level:.1f} grey levels only: light it more"
        raise InputError(problem, file=light.path)


def _places(bad: Mask, light: Recording) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    if bad.mean() > _MOST_BAD:
        problem = f"{100 * bad.mean():.1f} % of the pixels seem bad: did the element move?"
        raise InputError(problem, file=light.path)
    return np.argwhere(bad).astype(np.int32)


def _refuse_other(recording: Recording, rig: Rig) -> None:
    info = recording.info
    rows = rig.frame_shape[0] if rig.camera.kind == "area" else info.frame_shape[0]
    for what, is_there, wanted in (
        ("rig", info.rig, rig.name),
        ("frames of (height, width)", info.frame_shape, (rows, rig.camera.width)),
        ("pixels", info.pixel_type, rig.camera.pixel_type),
        ("bit depth", info.bit_depth, rig.camera.bit_depth),
    ):
        if is_there != wanted:
            problem = f"was recorded with {what} {is_there}, the rig file says {wanted}"
            raise InputError(problem, file=recording.path)
    if info.calibration:
        problem = f"was recorded with a calibration ({info.calibration}): it is corrected already"
        raise InputError(problem, file=recording.path)
