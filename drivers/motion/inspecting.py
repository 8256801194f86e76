"""Looks at a motion unit's records from outside of a scan; nothing is written, nothing moves."""

import asyncio
import subprocess
import sys

from darkscan.drivers.rig.motion import MotionSettings
from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.errors import DarkscanError, InputError

_LONGEST_S = 2.0
_PROCESS_S = 30.0


class Inspected(Settings):
    """What was found."""

    answers: bool
    """Whether all records are there."""

    problem: str = ""
    """Why they would not carry out a scan's orders, or why nobody answers; empty: they would."""


def inspect_records(settings: MotionSettings) -> Inspected:
    """Asks the records of a motion unit, for two seconds at the most. Never fails."""
    # Channel Access reads its addresses once in a process: of its own, it reads today's.
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=settings.model_dump_json(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROCESS_S,
        )
    except subprocess.TimeoutExpired:
        return Inspected(answers=False, problem="no answer")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Inspected(answers=False, problem=last)
    return Inspected.model_validate_json(done.stdout)


async def _inspect(settings: MotionSettings) -> Inspected:
    from darkscan.drivers.motion.errors import AbsentError
    from darkscan.drivers.motion.unit import MotionUnit

    unit = MotionUnit(
        settings,
        on_track=lambda _times, _positions: None,
        on_latches=lambda _first, _positions: None,
        on_gone=lambda: None,
    )
    try:
        await unit.inspect()
    except AbsentError as error:
        return Inspected(answers=False, problem=error.problem)
    except InputError as error:
        return Inspected(answers=True, problem=error.problem)
    except DarkscanError as error:
        return Inspected(answers=False, problem=str(error))
    finally:
        unit.forget()
    return Inspected(answers=True)


def main() -> None:
    """Reads settings from standard input and prints what was found, both as JSON."""
    settings = MotionSettings.model_validate_json(sys.stdin.read())
    patience = min(settings.connect_s, _LONGEST_S)
    found = asyncio.run(_inspect(settings.model_copy(update={"connect_s": patience})))
    sys.stdout.write(found.model_dump_json())


if __name__ == "__main__":
    main()
