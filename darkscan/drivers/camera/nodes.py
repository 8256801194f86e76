"""The nodes of a camera: which a scan sets to what, found by name, checked, set, and read back.

Names are those of the Standard Features Naming Convention; the rig file's ``camera.names`` says
what this camera calls them. An empty name there means that it has no such thing: the node is
left alone.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genicam import genapi
from genicam.genapi import EAccessMode, EIncMode, EInterfaceType

from darkscan.drivers.camera._bindings import GENICAM_ERRORS, said
from darkscan.drivers.rig import CameraSettings
from darkscan.drivers.rig.tables import NodeValue
from darkscan.pipeline.core.errors import InputError

Mode = Literal["step", "fly", "line"]

_SOURCES: dict[Mode, str] = {"step": "Software", "fly": "Line0", "line": "Encoder0"}
_INTEGER = EInterfaceType.intfIInteger
_FLOAT = EInterfaceType.intfIFloat
_COMMAND = EInterfaceType.intfICommand
_READABLE = {EAccessMode.RO, EAccessMode.RW}
_WRITABLE = {EAccessMode.WO, EAccessMode.RW}
_ROUNDING = 0.01
"""Cameras round times and gains to what they can count in; so much of a value is no matter."""

_NOTHING = 1e-9
_OTHER_TIMES = {"s", "sec", "ms", "msec", "ns", "nsec"}
"""Units that an exposure time may be in, other than microseconds."""


@dataclass(frozen=True)
class Wanted:
    """A node and its value."""

    node: str
    value: NodeValue
    field: str
    """The field of the rig file that orders this value, for errors."""

    optional: bool = False
    """A camera without it will do."""

    sfnc: bool = True
    """The name is to be looked up in camera.names."""

    microseconds: bool = False
    """The value is a time."""


def trigger_source(settings: CameraSettings, mode: Mode) -> str:
    """The source of the triggers: the rig file's, or the usual one of a scan's mode."""
    return settings.trigger_source or _SOURCES[mode]


def line_encoder(settings: CameraSettings, mode: Mode) -> str | None:
    """The encoder whose counts trigger lines, if that is how lines are triggered."""
    source = trigger_source(settings, mode)
    return source if mode == "line" and source.startswith("Encoder") else None


def wanted_nodes(settings: CameraSettings, mode: Mode, *, encoder_divider: int) -> Iterator[Wanted]:
    """All nodes that a scan sets, in the order in which they must be set."""
    own = [Wanted(*item, f"camera.nodes.{item[0]}", sfnc=False) for item in settings.nodes.items()]
    # A set of values that the camera keeps would undo what is set before it.
    yield from (node for node in own if node.node.startswith("UserSet"))
    yield from _image(settings)
    yield from _trigger(settings, mode)
    yield from _encoder(settings, mode, encoder_divider)
    yield from (node for node in own if not node.node.startswith("UserSet"))


def lasting_nodes(settings: CameraSettings) -> Iterator[Wanted]:
    """The nodes that must not have changed by what was set after them."""
    own = {settings.names.get(node, node) for node in settings.nodes}
    for wanted in _image(settings):
        if settings.names.get(wanted.node, wanted.node) not in own:
            yield wanted


def output_mode(direction: int) -> Wanted:
    """The node that says in which direction the encoder triggers lines; the sign counts."""
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


class Nodes:
    """A camera's node map, by SFNC names."""

    def __init__(self, node_map: Any, names: Mapping[str, str], file: Path | None) -> None:
        self._map = node_map
        self._names = names
        self._file = file

    def find(self, name: str) -> Any:
        """The node of that SFNC name, or None where this camera has none to offer now."""
        node = self.named(name)
        return node if node is not None and _access(node) > EAccessMode.NA else None

    def named(self, name: str) -> Any:
        """The node of that SFNC name, available now or not; None where there is none."""
        own_name = self._names.get(name, name)
        return self._named(own_name) if own_name else None

    def offered(self, name: str) -> list[str]:
        """The entries of an enumeration; none where there is no such node."""
        node = self.find(name)
        return [] if node is None else _entries(node)

    def apply(self, wanted: Wanted) -> None:
        """Sets a node.

        Raises InputError with the rig file's field: the camera has no such node, the node
        cannot be written, the value is none that it allows, or not the one that it then has.
        """
        name = self.own_name(wanted)
        if not name:
            return
        node = self._named(name)
        if node is None or _access(node) <= EAccessMode.NA:
            if not wanted.optional:
                raise self._error(wanted, self._why_not(name, exists=node is not None))
            return
        if wanted.microseconds and (problem := _other_time(node, name)):
            raise self._error(wanted, problem)
        value = wanted.value
        if isinstance(value, float) and value.is_integer() and _kind(node) is _INTEGER:
            value = int(value)
        if problem := _set(node, name, value):
            raise self._error(wanted, problem)

    def require(self, wanted: Wanted) -> None:
        """Raises InputError unless a node that was set still has its value."""
        node = self._named(self.own_name(wanted))
        if node is None or _access(node) not in _READABLE:
            return
        if problem := _not_taken(node, self.own_name(wanted), wanted.value):
            raise self._error(wanted, problem)

    def own_name(self, wanted: Wanted) -> str:
        """The name by which this camera calls the node; empty: it has none."""
        return self._names.get(wanted.node, wanted.node) if wanted.sfnc else wanted.node

    def largest(self, name: str) -> float | None:
        """The most that a number's node allows now; None where there is no such node."""
        node = self.find(name)
        return None if node is None else float(node.max)

    def is_alive(self) -> bool:
        """Whether the camera answers when its width is read from it."""
        try:
            if (node := self.find("Width")) is not None:
                node.get_value(ignore_cache=True)
        except GENICAM_ERRORS:
            return False
        return True

    def _named(self, name: str) -> Any:
        try:
            return self._map.get_node(name)
        except genapi.GenericException:
            return None

    def _why_not(self, name: str, *, exists: bool) -> str:
        if exists:
            return f"{name} is not available on this camera as it is set"
        known = [node.node.name for node in self._map.nodes if node.node.is_feature()]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        return f"this camera has no node {name}{hint}"

    def _error(self, wanted: Wanted, problem: str) -> InputError:
        return InputError(problem, file=self._file, field=wanted.field)


def _kind(node: Any) -> EInterfaceType:
    return EInterfaceType(node.node.principal_interface_type)


def _access(node: Any) -> EAccessMode:
    return EAccessMode(node.node.get_access_mode())


def _entries(enumeration: Any) -> list[str]:
    return [entry.symbolic for entry in enumeration.entries if _access(entry) > EAccessMode.NA]


def _set(node: Any, name: str, value: NodeValue) -> str:
    """Sets a node that is there. Gives what is wrong; nothing if all is well."""
    kind = _kind(node)
    if problem := _mismatch(node, kind, name, value):
        return problem
    if _access(node) not in _WRITABLE:
        if _access(node) in _READABLE and node.value == value:
            return ""
        return f"{name} cannot be written on this camera as it is set"
    try:
        if kind is _COMMAND:
            node.execute()
            return ""
        node.value = value
    except genapi.GenericException as error:
        return f"the camera refuses {name} = {_shown(value)}: {said(error)}"
    return _not_taken(node, name, value) if _access(node) in _READABLE else ""


def _not_taken(node: Any, name: str, value: NodeValue) -> str:
    """Gives what is wrong if a node that was set has another value than that; else nothing."""
    if _kind(node) is _COMMAND:
        return ""
    has = node.get_value(ignore_cache=True)
    if _kind(node) is _FLOAT and not isinstance(value, str):
        same = abs(has - value) <= _ROUNDING * abs(value) + _NOTHING
    else:
        same = has == value
    if same:
        return ""
    return (
        f"the camera has {name} = {_shown(has)} after it was set to {_shown(value)}; "
        "write what it can have"
    )


def _other_time(node: Any, name: str) -> str:
    """Gives what is wrong if a node is in another unit of time than microseconds; else nothing."""
    unit = node.unit if _kind(node) in {_INTEGER, _FLOAT} else ""
    if unit.strip().lower() not in _OTHER_TIMES:
        return ""
    return (
        f'{name} of this camera is in {unit.strip()}, not in us: say names.ExposureTime = "" in '
        f"[camera] and set {name} in [camera.nodes], in {unit.strip()}"
    )


def _mismatch(node: Any, kind: EInterfaceType, name: str, value: NodeValue) -> str:
    """Gives why a node cannot have a value; nothing if it can."""
    if kind in {_INTEGER, _FLOAT}:
        return _out_of_range(node, kind, name, value)
    if kind is EInterfaceType.intfIEnumeration:
        offered = _entries(node)
        problem = f"{_shown(value)} is no {name} of this camera; it has {', '.join(offered)}"
        return "" if value in offered else problem
    fits, otherwise = {
        EInterfaceType.intfIBoolean: (isinstance(value, bool), "is true or false"),
        _COMMAND: (value is True, "is a command: set it to true"),
        EInterfaceType.intfIString: (isinstance(value, str), "is a text"),
    }.get(kind, (False, "is nothing that can be set"))
    return "" if fits else f"{name} {otherwise}, not {_shown(value)}"


def _out_of_range(node: Any, kind: EInterfaceType, name: str, value: NodeValue) -> str:
    whole = kind is _INTEGER
    if isinstance(value, (bool, str)) or (whole and isinstance(value, float)):
        return f"{name} is a {'whole number' if whole else 'number'}, {_shown(value)} is none"
    low, high = node.min, node.max
    step = node.inc if whole or node.inc_mode == EIncMode.fixedIncrement else 0
    if low <= value <= high and not (whole and step > 1 and (value - low) % step):
        return ""
    steps = f" in steps of {_shown(step)}" if step and step != 1 else ""
    return (
        f"{name} = {_shown(value)} is not what this camera allows: "
        f"{_shown(low)} to {_shown(high)}{steps}"
    )


def _shown(value: NodeValue) -> str:
    """A value as it stands in a rig file."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else json.dumps(value)
