"""How fast a strip may be passed, and how an encoder makes lines."""

from dataclasses import dataclass

from darkscan.drivers.rig import Rig
from darkscan.pipeline.errors import InputError

_LINE_STEP_TOLERANCE = 0.02
"""By which a line may be higher or lower than the pitch says; frames then are no squares."""


@dataclass(frozen=True)
class Pace:
    """The velocity along a strip, which field of the rig file sets it, and what it takes."""

    velocity_mm_s: float
    set_by: str
    run_up_mm: float
    """To reach it and to settle."""


def pace_of(rig: Rig, *, frame_mm: float, pixel_mm: float) -> Pace:
    """The highest velocity that the axes, the camera and the blur allow.

    ``frame_mm``: the axis's way from frame to frame; ``pixel_mm``: that of one pixel.
    """
    motion, exposure_s = rig.motion, rig.camera.exposure_us / 1e6
    limits = {"motion.velocity_mm_s": float(motion.velocity_mm_s)}
    if rig.scan.mode == "step":
        return Pace(limits["motion.velocity_mm_s"], "motion.velocity_mm_s", run_up_mm=0.0)
    trigger_mm = pixel_mm if rig.scan.mode == "line" else frame_mm
    limits["camera.rate_hz"] = rig.camera.rate_hz * trigger_mm
    limits["camera.exposure_us"] = trigger_mm / exposure_s
    limits["scan.blur_px"] = rig.scan.blur_px * pixel_mm / exposure_s
    # Rounded: of equal limits the first is named.
    field = min(limits, key=lambda name: round(limits[name], 9))
    velocity = limits[field]
    run_up = velocity**2 / (2 * motion.acceleration_mm_s2) + motion.settle_s * velocity
    return Pace(velocity, field, run_up)


def encoder_divider(line_mm: float, rig: Rig) -> int:
    """How many encoder counts make a line of ``line_mm``.

    Raises InputError if none do, within 2 %.
    """
    step_um = rig.motion.encoder_step_um
    if step_um is None:
        raise InputError("is needed for a line scan", field="motion.encoder_step_um")
    counts = line_mm * 1000 / step_um
    divider = max(1, round(counts))
    if abs(divider / counts - 1) > _LINE_STEP_TOLERANCE:
        raise InputError(
            f"a line of {line_mm * 1000:.4g} um is {counts:.3g} counts of {step_um:g} um: "
            f"{divider} would make it {100 * abs(divider / counts - 1):.1f} % "
            f"{'higher' if divider > counts else 'lower'}, "
            f"more than {100 * _LINE_STEP_TOLERANCE:.0f} %",
            field="motion.encoder_step_um",
        )
    return divider
