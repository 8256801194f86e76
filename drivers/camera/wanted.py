"""Which nodes a scan wants set to what, by the Standard Features Naming Convention."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from darkscan.drivers.rig import CameraSettings
from darkscan.drivers.rig.camera import NodeValue

Mode = Literal["step", "fly", "line"]

_SOURCES: dict[Mode, str] = {"step": "Software", "fly": "Line0", "line": "Encoder0"}


@dataclass(frozen=True)
class Wanted:
    """A node and its value."""

    node: str
    value: NodeValue
    field: str
    """Of the rig file: who wants it so, for errors."""

    optional: bool = False
    """A camera without it will do."""

    sfnc: bool = True
    """The name is to be looked up in camera.names."""

    microseconds: bool = False
    """The value is a time."""


def trigger_source(settings: CameraSettings, mode: Mode) -> str:
    """Where triggers come from."""
    return settings.trigger_source or _SOURCES[mode]


def line_encoder(settings: CameraSettings, mode: Mode) -> str | None:
    """The encoder whose counts trigger lines, if that is how lines are triggered."""
    source = trigger_source(settings, mode)
    return source if mode == "line" and source.startswith("Encoder") else None


def wanted_nodes(settings: CameraSettings, mode: Mode, *, encoder_divider: int) -> Iterator[Wanted]:
    """All of them, in the order in which they must be set."""
    own = [Wanted(*item, f"camera.nodes.{item[0]}", sfnc=False) for item in settings.nodes.items()]
    # A set of values that the camera keeps would undo what is set before it.
    yield from (node for node in own if node.node.startswith("UserSet"))
    yield from _image(settings)
    yield from _trigger(settings, mode)
    yield from _encoder(settings, mode, encoder_divider)
    yield from (node for node in own if not node.node.startswith("UserSet"))


def lasting_nodes(settings: CameraSettings) -> Iterator[Wanted]:
    """Those that must not have changed by what was set after them."""
    own = {settings.names.get(node, node) for node in settings.nodes}
    for wanted in _image(settings):
        if settings.names.get(wanted.node, wanted.node) not in own:
            yield wanted


def output_mode(direction: int) -> Wanted:
    """Which direction of the encoder triggers lines."""
    entry = "PositionUp" if direction > 0 else "PositionDown"
    return Wanted("EncoderOutputMode", entry, "camera.names.EncoderOutputMode")


def _image(settings: CameraSettings) -> Iterator[Wanted]:
    scan_type = "Areascan" if settings.kind == "area" else "Linescan"
    yield _common("DeviceScanType", scan_type, "camera.kind")
    yield _common("AcquisitionMode", "Continuous")
    yield Wanted("PixelFormat", settings.pixel_format, "camera.pixel_format")
    yield Wanted("Width", settings.width, "camera.width")
    yield Wanted("Height", settings.height, "camera.height")
    yield _common("ExposureAuto", "Off")
    yield _common("GainAuto", "Off")
    yield _common("ExposureMode", "Timed")
    yield Wanted("ExposureTime", settings.exposure_us, "camera.exposure_us", microseconds=True)


def _trigger(settings: CameraSettings, mode: Mode) -> Iterator[Wanted]:
    source = trigger_source(settings, mode)
    yield _common("TriggerSelector", "LineStart" if mode == "line" else "FrameStart")
    yield Wanted("TriggerSource", source, "camera.trigger_source")
    if source.startswith("Line"):
        yield _common("TriggerActivation", "RisingEdge")
    yield Wanted("TriggerMode", "On", "camera.names.TriggerMode")


def _encoder(settings: CameraSettings, mode: Mode, divider: int) -> Iterator[Wanted]:
    encoder = line_encoder(settings, mode)
    if encoder is None:
        return
    yield _common("EncoderSelector", encoder, "camera.trigger_source")
    yield Wanted("EncoderDivider", divider, "motion.encoder_step_um", optional=divider == 1)
    for direction in (-1, +1):  # both will be needed, so both are tried
        yield output_mode(direction)


def _common(node: str, value: NodeValue, field: str = "") -> Wanted:
    """A node that many cameras lack, and then need not have."""
    return Wanted(node, value, field or f"camera.names.{node}", optional=True)
