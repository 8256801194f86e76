"""The rooms keep their order, and heavy libraries stay where they belong."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
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
        "darkscan.stages.acquisition.live",
        "darkscan.stages.acquisition.replay",
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


@pytest.mark.parametrize("way", ["live", "replay"])
def test_only_motion_loads_the_library_of_the_axes(way: str) -> None:
    code = f"import sys, darkscan.stages.acquisition.{way}; sys.exit('aioca' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "stage",
    [
        "acquisition.live",
        "acquisition.replay",
        "preprocessing",
        "recording",
        "motion",
        "merging.stage",
    ],
)
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


def test_private_modules_are_imported_only_within_their_package() -> None:
    offenders = [
        f"{file.relative_to(REPOSITORY)}: {module}"
        for folder in ("darkscan", "benchmarks")
        for file in (REPOSITORY / folder).rglob("*.py")
        for module in imported_modules(file)
        if not may_import(file, module)
    ]
    assert not offenders


def imported_modules(file: Path) -> Iterator[str]:
    """Every module of darkscan that a file names in an import, as far as it is written whole."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def may_import(file: Path, name: str) -> bool:
    """Whether a name has no private module, or one of a package that the file is in."""
    parts = name.split(".")
    private = [number for number, part in enumerate(parts) if re.match("_[^_]", part)]
    if parts[0] != "darkscan" or not private:
        return True
    package = REPOSITORY.joinpath(*parts[: private[0]])
    return not package.is_dir() or package in file.parents
