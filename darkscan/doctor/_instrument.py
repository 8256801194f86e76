"""The rig: its file, and the producers of its cameras, which are loaded but not asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from darkscan.doctor._findings import Finding, Subject, note, ok, problem
from darkscan.drivers.rig import SIMULATED, load_rig
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.simulation.rig.build import producer

_PATH = "GENICAM_GENTL64_PATH"
_PATIENCE_S = 60.0
# A library that is no producer may crash whoever loads it.
_LOAD = """
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
except OSError as error:
    sys.exit(f"cannot be loaded: {error}")
if not (hasattr(library, "GCInitLib") and hasattr(library, "TLOpen")):
    sys.exit("is no GenTL producer")
"""


def check_rig(subject: Subject) -> Iterator[Finding]:
    """The rig file, and its camera's producer."""
    if subject.rig_file is None:
        return
    rig = load_rig(subject.rig_file)  # what it raises is the finding
    yield ok("rig", f"{subject.rig_file}: {rig.name}, {rig.scan.mode}, {rig.camera.pixel_format}")
    if rig.camera.producer != SIMULATED:
        yield _producer_line(Path(rig.camera.producer))
        return
    try:
        yield ok("rig", f"simulated camera: {producer()}")
    except DarkscanError as error:
        yield problem("rig", str(error), "install a C compiler (Debian: apt-get install gcc)")


def check_producers(_: Subject) -> Iterator[Finding]:
    """The producers that makers of cameras have registered on this computer."""
    named = [Path(entry) for entry in os.environ.get(_PATH, "").split(os.pathsep) if entry]
    if not named:
        advice = "none is needed: a rig file names its producer itself"
        yield ok("producers", f"{_PATH} is not set; {advice}")
    for folder in named:
        files = sorted(folder.glob("*.cti")) if folder.is_dir() else []
        if not folder.is_dir():
            yield note("producers", f"{_PATH} names {folder}, which is no folder", "correct it")
        elif not files:
            yield note("producers", f"{_PATH} names {folder}, which holds no .cti file")
        yield from map(_producer_line, files)


def _producer_line(path: Path) -> Finding:
    why = _why_not_loadable(path)
    if why is None:
        return ok("producers", f"{path} loads")
    advice = "install the camera maker's GenTL producer for this computer, with what it needs"
    return problem("producers", f"{path} {why}", advice)


def _why_not_loadable(path: Path) -> str | None:
    if not path.is_file():
        return "is no file"
    command = [sys.executable, "-c", _LOAD, str(path.resolve())]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not load within {_PATIENCE_S:.0f} s"
    if done.returncode < 0:
        return f"crashes when it is loaded (signal {-done.returncode})"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["cannot be loaded"])[-1]
    return None
