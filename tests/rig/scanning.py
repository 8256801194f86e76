"""Scans of simulated rigs in the test's own hands: it sees how they go, and breaks them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.running.specification import RunFolder
from darkscan.pipeline.running.supervisor import Progress
from darkscan.pipeline.transport.messages import Status
from darkscan.runs.rig_scan import ScanRequest, prepare_scan
from darkscan.runs.runner import run_to_map
from darkscan.simulation.rig import SimulatedRig
from tests.stages.running import PATIENCE_S

RESULTS = ("defect-map.json", "defect-map.csv", "defect-map.svg", "defect-map.png")


@contextmanager
def simulated(rig: Rig) -> Iterator[SimulatedRig]:
    """The rig's simulation at work."""
    with RunFolder() as folder, SimulatedRig(rig, folder.path) as running:
        yield running


@dataclass(frozen=True)
class Scanned:
    """What a scan left behind."""

    map: DefectMap
    out: Path
    record: Path | None

    @property
    def report(self) -> Any:
        """What the scan went through."""
        return json.loads((self.out / "scan.json").read_text())

    @property
    def reasons(self) -> dict[int, str]:
        """Frames that were not inspected, and why."""
        return {item.frame: item.reason for item in self.map.coverage.frames_not_inspected}


def scan(
    rig: Rig,
    folder: Path,
    *,
    record: bool = False,
    rescans: int = 1,
    force: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Scanned:
    """Scans and inspects with a rig that is at work; ``on_progress`` may meddle."""
    out = folder / "out"
    path = folder / "scan.h5" if record else None
    with as_file(files("darkscan") / "models" / "default.onnx") as model:
        request = ScanRequest(rig, Path("rig.toml"), record=path, rescans=rescans, force=force)
        prepared = prepare_scan(request, Recipe(), model, out)
        found = run_to_map(prepared.spec, on_progress, describe=prepared.live.write)
    ledger = found.ledger
    assert ledger.balanced
    assert ledger.in_flight == 0
    assert ledger.captured == prepared.spec.scan.frames_planned
    return Scanned(found, out, path)


def replayed(recording: Path, out: Path) -> Path:
    """The folder with the map of a recorded scan."""
    done = subprocess.run(
        [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode in {0, 3}, done.stderr
    return out


def assert_same_results(first: Path, second: Path) -> None:
    for name in RESULTS:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def settled(progress: Progress) -> int:
    """Frames that are accounted for."""
    sums = [status.sums for status in progress.statuses.values() if status.sums is not None]
    return max((one.captured - one.in_flight for one in sums), default=0)


def captured(progress: Progress) -> int:
    """Frames that came, or are known not to."""
    sums = [status.sums for status in progress.statuses.values() if status.sums is not None]
    return max((one.captured for one in sums), default=0)


def status_of(progress: Progress, stage: str) -> Status | None:
    """What a stage said last."""
    return progress.statuses.get((stage, 0))


class Once:
    """Does something the first time that a condition holds."""

    def __init__(
        self, condition: Callable[[Progress], bool], action: Callable[[Progress], None]
    ) -> None:
        self._condition, self._action = condition, action
        self.done = False

    def __call__(self, progress: Progress) -> None:
        if not self.done and self._condition(progress):
            self.done = True
            self._action(progress)
