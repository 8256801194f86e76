"""Checks of the instrument before a scan: the axes' limits, the camera's rate, link, exposure."""

from typing import Literal

from darkscan.drivers.motion.inspecting import inspect_records
from darkscan.drivers.planning._timing import frame_seconds
from darkscan.drivers.planning.passes import check_limits, passes
from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.rig import AxisSettings, CameraSettings, PixelFormat, Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.settings import Settings
from darkscan.pipeline.core.units import FiniteMm
from darkscan.pipeline.transport.messages import Place

Verdict = Literal["ok", "waits", "refused"]
_PACKED_BITS: dict[PixelFormat, int] = {"Mono10p": 10, "Mono12p": 12, "Mono12Packed": 12}
_NO_LIMITS = FiniteMm(0.0), FiniteMm(0.0)


class Finding(Settings):
    """The outcome of one check before a scan."""

    name: str
    verdict: Verdict
    figures: str
    """In one line: what is needed, and what is there."""

    field: str = ""
    """The key of the rig file or the recipe that may change it."""


def judged(name: str, figures: str, *, possible: bool, field: str = "") -> Finding:
    """A finding that either holds or makes the scan impossible."""
    return Finding(name=name, verdict="ok" if possible else "refused", figures=figures, field=field)


def travel(plan: ScanPlan, rig: Rig) -> Finding:
    """Checks the axes' way against their soft limits, as far as the rig file states them."""
    parts = passes(plan, rig, {frame.meta.frame for frame in plan.frames})
    low, high = stated_limits(rig)
    try:
        check_limits(parts, low, high)
    except InputError as error:
        return Finding(
            name="travel", verdict="refused", figures=error.problem, field=error.field or ""
        )
    ways = []
    for index, (name, at) in enumerate(zip("xyz", zip(low, high, strict=True), strict=True)):
        if name == "z" and not plan.focused:
            continue
        ends = [(part.reach_mm[0][index], part.reach_mm[1][index]) for part in parts]
        way = f"{name} {min(ends)[0]:.3f} to {max(end for _, end in ends):.3f} mm"
        ways.append(f"{way} of {at[0]:g} to {at[1]:g}" if at[0] < at[1] else way)
    return Finding(name="travel", verdict="ok", figures=", ".join(ways))


def records(rig: Rig) -> Finding | None:
    """Whether the axes' records would carry out orders; None for a rig that is not there yet."""
    if rig.simulated:
        return None
    found = inspect_records(rig.motion)
    if not found.answers:
        return Finding(name="axes", verdict="ok", figures=f"not looked at: {found.problem}")
    return judged(
        "axes",
        found.problem or "the records would carry out orders",
        possible=not found.problem,
        field="motion",
    )


def focus(plan: ScanPlan, rig: Rig) -> Finding | None:
    """Checks how far frames are out of focus; None without a focus plane."""
    if rig.focus is None:
        return None
    return judged(
        "focus",
        f"within {plan.defocus_um:.0f} um of the element's plane, depth {rig.focus.depth_um:g} um",
        possible=plan.defocus_um <= rig.focus.depth_um,
        field="focus.depth_um",
    )


def blur(plan: ScanPlan, rig: Rig) -> Finding:
    """Checks how far the element wanders during an exposure."""
    exposure_us = rig.camera.exposure_us
    if plan.mode == "step":
        return Finding(name="blur", verdict="ok", figures=f"exposed {exposure_us:g} us at rest")
    moved_px = plan.velocity_mm_s * exposure_us / 1e6 / plan.pixel_mm
    return judged(
        "blur",
        f"{moved_px:.2g} px in {exposure_us:g} us at {plan.velocity_mm_s:.4g} mm/s, "
        f"of at most {rig.scan.blur_px:g} px",
        possible=moved_px <= rig.scan.blur_px * (1 + 1e-9),
        field="scan.blur_px",
    )


def camera_rate(plan: ScanPlan, rig: Rig) -> Finding:
    """Checks how many frames or lines a second the camera has to take."""
    what, rate = "frames", 1 / frame_seconds(plan, rig)
    if plan.mode == "line":
        what, rate = "lines", plan.velocity_mm_s / abs(plan.line_step_mm)
    most = rig.camera.rate_hz
    return judged(
        "camera rate",
        f"{rate:.5g} {what} a second of at most {most:g}",
        # As good as equal: the velocity follows from the rate.
        possible=rate <= most * (1 + 1e-9),
        field="camera.rate_hz",
    )


def link(plan: ScanPlan, rig: Rig) -> Finding | None:
    """Checks the load on the camera's link; None if the rig file does not state its capacity."""
    camera = rig.camera
    if camera.link_mb_per_s is None:
        return None
    rows, columns = plan.info.frame_shape
    frame_mb = rows * columns * bits_on_the_link(camera) / 8e6
    if plan.mode == "step":
        transfer_s = frame_mb / camera.link_mb_per_s
        wait_s = len(plan.frames) * max(0.0, transfer_s - 1 / camera.rate_hz)
        figures = f"a frame takes {1000 * transfer_s:.3g} ms at {camera.link_mb_per_s:g} MB/s"
        if wait_s < 1.0:
            return Finding(name="camera link", verdict="ok", figures=figures)
        figures += f", {wait_s:.0f} s longer in all than the camera's rate says"
        return Finding(name="camera link", verdict="waits", figures=figures)
    if plan.mode == "line":
        lines_per_s = plan.velocity_mm_s / abs(plan.line_step_mm)
        needed = lines_per_s * frame_mb / rows
    else:
        needed = frame_mb / frame_seconds(plan, rig)
    return judged(
        "camera link",
        f"{needed:.4g} MB/s at {plan.velocity_mm_s:.4g} mm/s of {camera.link_mb_per_s:g} MB/s",
        possible=needed <= camera.link_mb_per_s,
        field="camera.link_mb_per_s",
    )


def stated_limits(rig: Rig) -> tuple[Place, Place]:
    """The lower and the upper limits in the rig file; equal ones where it states none."""

    def of(axis: AxisSettings | None) -> tuple[FiniteMm, FiniteMm]:
        return _NO_LIMITS if axis is None else axis.limits_mm or _NO_LIMITS

    x, y, z = of(rig.motion.x), of(rig.motion.y), of(rig.motion.z)
    return (x[0], y[0], z[0]), (x[1], y[1], z[1])


def bits_on_the_link(camera: CameraSettings) -> int:
    """Bits that a pixel takes on its way from the camera."""
    packed = _PACKED_BITS.get(camera.pixel_format)
    return packed or (8 if camera.bit_depth == 8 else 16)  # noqa: PLR2004 - a byte
