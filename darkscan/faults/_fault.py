"""A fault as a user names it: ``KIND[:STAGE][@frame=N][,seconds=S]``."""

import difflib
import re
from dataclasses import dataclass
from typing import Literal, get_args

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import STAGES

FaultKind = Literal[
    "kill",
    "stop",
    "delay",
    "drop",
    "duplicate",
    "corrupt",
    "forge",
    "disk-full",
    "cut-recording",
    "replace-recording",
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

SPOILING: frozenset[FaultKind] = frozenset({"cut-recording", "replace-recording"})
"""These change the recording: a copy of it is inspected."""

_STAGES: dict[FaultKind, tuple[str, ...]] = {
    "kill": STAGES,
    "stop": STAGES,
    "forge": (*STAGES[:2], "merging", "supervisor"),
}
"""The kinds that name a stage, and those that each allows."""

_LASTING: frozenset[FaultKind] = frozenset({"stop", "delay"})
_FORM = re.compile(r"([a-z-]+)(?::([a-z]+))?(?:@(.*))?")
_MOST_FRAMES = 10**9
_LONGEST_S = 3600.0
OPTION = "--fault"


@dataclass(frozen=True)
class Fault:
    """One fault of a run."""

    kind: FaultKind
    stage: str = ""
    """The stage that is killed, stopped or lied to; empty for kinds that name none."""

    frame: int = 0
    """It happens as soon as so many frames are settled."""

    seconds: float = 1.0
    """How long a stage is stopped, or a message is kept back."""

    def __str__(self) -> str:
        stage = f":{self.stage}" if self.stage else ""
        seconds = f",seconds={self.seconds:g}" if self.kind in _LASTING else ""
        return f"{self.kind}{stage}@frame={self.frame}{seconds}"


def parse_fault(text: str) -> Fault:
    """Reads a fault. Raises InputError that names it and says what is allowed."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise _refused(text, "must be like kill:classification@frame=20 or drop@frame=3")
    kind, stage, when = found[1], found[2] or "", found[3]
    if kind not in KINDS:
        close = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(KINDS)}"
        raise _refused(text, f"no such kind of fault; {hint}")
    stages = _STAGES.get(kind, ())
    if stage and not stages:
        raise _refused(text, f"{kind} names no stage")
    if stages and stage not in stages:
        raise _refused(text, f"must name one of {', '.join(stages)}, like {kind}:{stages[-1]}")
    values = _values(text, when)
    if "seconds" in values and kind not in _LASTING:
        raise _refused(text, f"seconds are for {' and '.join(sorted(_LASTING))} only")
    return Fault(kind, stage, int(values.get("frame", 0)), values.get("seconds", 1.0))


def _values(text: str, when: str | None) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in [] if when is None else when.split(","):
        name, _, value = part.partition("=")
        if name == "frame" and re.fullmatch(r"\d{1,10}", value) and int(value) <= _MOST_FRAMES:
            values[name] = int(value)
        elif name == "seconds" and re.fullmatch(r"\d{1,4}(\.\d{1,6})?", value):
            values[name] = float(value)
        else:
            raise _refused(text, f"{part!r:.60} is none of frame=N and seconds=S")
    if not 0 <= values.get("seconds", 1.0) <= _LONGEST_S:
        raise _refused(text, f"seconds must be from 0 to {_LONGEST_S:g}")
    return values


def _refused(text: str, problem: str) -> InputError:
    return InputError(f"{text:.80}: {problem}", field=OPTION)
