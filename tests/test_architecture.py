"""The rooms keep their order, and heavy libraries stay where they belong."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import darkscan
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


def test_the_rooms_at_the_top_are_links_that_only_show_them() -> None:
    package = REPOSITORY / "darkscan"
    links = {path.name: path.readlink() for path in REPOSITORY.iterdir() if path.is_symlink()}
    rooms = {path.name for path in package.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert links == {room: Path("darkscan") / room for room in rooms}


def test_the_version_is_the_installed_one() -> None:
    assert darkscan.__version__ == version("darkscan")
