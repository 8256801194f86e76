"""The rooms keep their order, and heavy libraries stay where they belong."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def test_arrows_point_down_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "room",
    [
        "darkscan.stages.acquisition",
        "darkscan.stages.preprocessing",
        "darkscan.stages.classification.stage",
        "darkscan.stages.merging.stage",
        "darkscan.drivers.recording",
        "darkscan.simulation.element",
        "darkscan.cli.main",
    ],
)
def test_torch_never_loads_where_scans_are_run(room: str) -> None:
    code = f"import sys, {room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("stage", ["acquisition", "preprocessing", "merging"])
def test_only_classification_loads_the_model_runtime(stage: str) -> None:
    code = f"import sys, darkscan.stages.{stage}; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_stay_small() -> None:
    rooms = ("cli", "host", "stages", "network", "drivers", "pipeline", "benchmarks")
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for room in rooms
        for path in (REPOSITORY / room).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long
