"""Fields of a motor record: whether an order would be carried out, and whether one was.

A record echoes an order in its setpoint, and in its user readback too while ``SET`` is on: what
an order did is believed only after a look at the dial, at the switches, and at the offset.
"""

import json
import math
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from typing import Any, NamedTuple, Self

from darkscan.drivers.motion._channel_access import Sample, read_fields
from darkscan.drivers.motion.errors import MotionError
from darkscan.drivers.rig.tables import AxisSettings, MotionSettings

# Bits of the record's MSTA.
_SLIP_STALL = 1 << 6
_PROBLEM = 1 << 9
_SWITCHES_POWER = 1 << 11
_COMMUNICATION = 1 << 12
_HOMED = 1 << 14

_INVALID = 3  # of SEVR
_GO = 3  # of SPMG
_PAUSE_WORDS = ("Stop", "Pause", "Move", "Go")
_BUSY_WORDS = ("OFF", "ON", "BUSY")
_MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}


class _Fields:
    """Fields that are read together; one with a default is one that a record may lack."""

    @classmethod
    def names(cls) -> dict[str, Any]:
        """The record's fields, and what each is read as."""
        return {field.name.upper(): field.type for field in fields(_record(cls))}

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """Those that every motor record has."""
        return tuple(f.name.upper() for f in fields(_record(cls)) if f.default is MISSING)

    @classmethod
    async def read(cls, record: str, lacking: Collection[str] = ()) -> Self:
        """Asks the record, but not for what it is known to lack. Raises MotionError."""
        kinds = {name: kind for name, kind in cls.names().items() if name not in lacking}
        values = await read_fields(record, kinds)
        for name, value in values.items():
            number = value.value if isinstance(value, Sample) else value
            if isinstance(number, float) and not math.isfinite(number):
                raise MotionError(f"{record}.{name} is {number:g}, which is no number to go by")
        return cls(**{name.lower(): value for name, value in values.items()})


def _record(cls: type) -> Any:
    return cls  # each of them is a dataclass


@dataclass(frozen=True, kw_only=True)
class Stand(_Fields):
    """Where an axis stands, and what makes that true; read before and after each order.

    They are asked for in this order: an offset that changed before RBV was read is seen.
    """

    rbv: Sample
    drbv: float
    rrbv: float = math.nan
    dmov: float
    msta: float
    set: float
    off: float = 0.0
    sevr: float = 0.0

    @property
    def user_mm(self) -> float:
        """The user readback."""
        return float(self.rbv.value)


@dataclass(frozen=True, kw_only=True)
class Gate(_Fields):
    """Fields that are read before each order, beside those of the stand."""

    spmg: float
    llm: float
    hlm: float

    @property
    def shut(self) -> bool:
        """Whether orders have to wait."""
        return self.spmg != _GO


@dataclass(frozen=True, kw_only=True)
class Switches(_Fields):
    """Fields on which an order depends and that are seldom touched: read now and then, watched."""

    egu: str
    disp: float
    disa: float
    disv: float = 1.0
    udf: float = 0.0
    stat: str = "NO_ALARM"
    stup: float = 0.0
    cnen: float = 1.0
    dir: float = 0.0
    mres: float
    eres: float = 0.0
    ueip: float = 0.0
    urip: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Setup(_Fields):
    """How the record moves its axis."""

    velo: float
    vbas: float
    vmax: float
    accl: float
    rdbd: float
    rtry: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Outcome(_Fields):
    """Why a move may have ended where it was not to end."""

    hls: float = 0.0
    lls: float = 0.0
    lvio: float = 0.0
    miss: float = 0.0

    def __str__(self) -> str:
        """As it goes on after "stopped"."""
        if self.hls or self.lls:
            return f" on its {'upper' if self.hls else 'lower'} limit"
        if self.lvio:
            return " (LVIO: the record takes it to lead beyond its soft limits)"
        return " (MISS: the record ran out of retries)" if self.miss else ""


ORDERS = ("VAL", "STOP", "VELO", "ACCL")
"""Fields that are written."""

ALL_FIELDS = tuple(
    dict.fromkeys(
        [
            *ORDERS,
            *Stand.names(),
            *Gate.names(),
            *Switches.names(),
            *Setup.names(),
            *Outcome.names(),
        ]
    )
)
REQUIRED = tuple(
    dict.fromkeys(
        [*ORDERS, *Stand.required(), *Gate.required(), *Switches.required(), *Setup.required()]
    )
)
"""A record without these is none that axes are moved by; it may lack the rest."""


class Look(NamedTuple):
    """All that an order depends on."""

    stand: Stand
    gate: Gate
    switches: Switches


@dataclass(frozen=True)
class Meaning:
    """The fields that turn a controller's counts into the record's user positions.

    If one of them changes in mid-run, no position means the place any more that the plan means.
    """

    off: float
    dir: float
    mres: float
    eres: float
    ueip: float
    urip: float

    @classmethod
    def of(cls, look: Look) -> Self:
        """The meaning that was read in ``look``."""
        stand, _, switches = look
        return cls(
            stand.off, switches.dir, switches.mres, switches.eres, switches.ueip, switches.urip
        )

    def difference(self, now: "Meaning", record: str) -> str:
        """A sentence about the first field that has changed; empty: none has."""
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(now, field.name)
            if before != after:
                return changed(record, field.name.upper(), before, after)
        return ""


def changed(record: str, field: str, before: float, after: float) -> str:
    """A sentence about a field whose change gives all positions another meaning."""
    if field == "SET":
        return (
            f'{record}.SET was switched to "Set" in mid-scan: its positions may no longer mean '
            "what they did"
        )
    return (
        f"{record}.{field} was {before:.9g} when the scan began and is {after:.9g} now: the "
        "record's positions no longer mean what they did"
    )


def obstacle(look: Look, record: str, axis: AxisSettings, settings: MotionSettings) -> str:
    """Why an order would not be carried out as meant, and how to mend it; empty: it would."""
    stand, gate, switches = look
    if switches.udf:
        return f"{record}.UDF is 1: the record has no value yet, and does not move; initialise it"
    return (
        distrust(stand, record, settings, f" (STAT is {switches.stat})")
        or _foreign_unit(switches.egu, record, axis)
        or _switched_off(gate, switches, record)
        or _powered_off(stand, switches, record, settings)
    )


def distrust(stand: Stand, record: str, settings: MotionSettings, stat: str = "") -> str:
    """Why the record's readback is not to be believed; empty: it is."""
    if problem := bad_status(stand.msta, record, settings):
        return problem
    if stand.sevr >= _INVALID:
        return (
            f"{record}.SEVR is INVALID{stat}: its values are not to be believed; "
            "look to the record's controller"
        )
    if stand.set:
        return (
            f'{record}.SET is "Set": an order would not move the axis, but give another name to '
            'where it stands; set it to "Use"'
        )
    return ""


def bad_status(msta: float, record: str, settings: MotionSettings) -> str:
    """The reason that bits of MSTA give not to move the axis; empty: none."""
    bits = int(msta)
    if bits & _COMMUNICATION:
        return f"{record} does not reach its controller (MSTA)"
    if bits & _PROBLEM:
        return f"{record} reports a problem (MSTA)"
    if bits & _SLIP_STALL:
        return f"{record} reports a slip or a stall (MSTA)"
    if settings.homed_bit == "msta" and not bits & _HOMED:
        return f"{record} is not homed"
    return ""


def _foreign_unit(egu: str, record: str, axis: AxisSettings) -> str:
    unit = egu.strip()
    if unit.lower() in _MILLIMETRES or (not unit and axis.unit == "mm"):
        return ""
    said = f"{record}.EGU is {json.dumps(egu, ensure_ascii=False)}"
    if unit:
        return f"{said}: darkscan moves in mm; take a record whose positions and speeds are in mm"
    return f'{said}: set it to "mm" if that is what it is in, or say unit = "mm" in the rig file'


def _switched_off(gate: Gate, switches: Switches, record: str) -> str:
    if switches.disp:
        return f"{record}.DISP is {switches.disp:g}: the record refuses all orders; set it to 0"
    if switches.disa == switches.disv:
        return (
            f"{record}.DISA is {switches.disa:g}, as DISV: the record is disabled and nothing "
            f"moves; set it to {0 if switches.disv else 1}"
        )
    if gate.shut:
        return f'{record}.SPMG is "{_word(_PAUSE_WORDS, gate.spmg)}": set it to "Go"'
    if switches.stup:
        return (
            f'{record}.STUP is "{_word(_BUSY_WORDS, switches.stup)}": the record still waits for '
            "its controller's status; it must be OFF"
        )
    return ""


def _powered_off(stand: Stand, switches: Switches, record: str, settings: MotionSettings) -> str:
    has_switch = int(stand.msta) & _SWITCHES_POWER
    if settings.power_field == "none" or switches.cnen or not has_switch:
        return ""
    return (
        f'{record}.CNEN is "Disable": the drive is off; set it to "Enable", or say '
        'power_field = "none" in [motion] if it goes on by itself'
    )


def _word(words: tuple[str, ...], number: float) -> str:
    return words[int(number)] if 0 <= number < len(words) else f"{number:g}"


def unmoved(before: Stand, after: Stand, switches: Switches, record: str, noise_mm: float) -> str:
    """Whether the dial went the way that the user readback says; if not, the problem.

    user = dial * DIR + OFF, so distances agree but for their sign. ``noise_mm``: what two
    readings of one place may differ by; ways shorter than that tell nothing.
    """
    way = abs(after.user_mm - before.user_mm)
    if way <= noise_mm:
        return ""
    dial = abs(after.drbv - before.drbv)
    if abs(dial - way) > noise_mm:
        return (
            f"{record}.DRBV moved by {dial:.3f} mm where {record}.RBV says {way:.3f} mm: "
            "the axis did not go where the record says"
        )
    if math.isnan(after.rrbv) or switches.urip:  # by its own link the raw readback is none
        return ""
    steps = abs(after.rrbv - before.rrbv)
    sizes = {size for size in (abs(switches.mres), abs(switches.eres)) if size}
    if any(abs(steps * size - way) <= noise_mm + 2.0 * size for size in sizes):
        return ""
    return (
        f"{record}.RRBV moved by {steps:g} steps of {abs(switches.mres):g} mm where {record}.RBV "
        f"says {way:.3f} mm: the axis did not go where the record says"
    )
