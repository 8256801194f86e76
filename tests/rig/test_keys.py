"""The operator's signals and the recording in the results' folder."""

import os
import signal
from pathlib import Path

from darkscan.cli.rig_scan import keys
from darkscan.pipeline.running.results_folder import ResultsFolder


def test_a_hold_before_the_stages_run_does_no_harm() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with keys():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_run_that_failed_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.claim()
    results.describe(b"{}")
    record = tmp_path / "scan.h5"
    record.write_bytes(b"frames")
    (tmp_path / "notes").mkdir()
    (tmp_path / "run.json").mkdir()
    (tmp_path / ".mine.1.part").touch()
    (tmp_path / "defect-map.json").touch()
    results.break_off()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"scan.h5", "notes", "run.json", ".mine.1.part"}
