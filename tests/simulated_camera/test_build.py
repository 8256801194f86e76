"""Building the simulated camera."""

import subprocess
import sys
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.simulation.rig.build import producer

BUILD = (
    "from darkscan.simulation.rig.build import producer\n"
    "import sys; sys.stdout.write(str(producer()))"
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cti: Path) -> Path:
    """An empty cache on a machine that has a compiler."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "darkscan"


def test_it_is_built_once(cache: Path) -> None:
    path = producer()
    assert path.parent == cache
    assert path.suffix == ".cti"
    built = path.stat().st_mtime_ns
    assert producer() == path
    assert path.stat().st_mtime_ns == built
    assert list(cache.iterdir()) == [path]  # nothing else is left


@pytest.mark.slow
def test_two_processes_may_build_at_once(cache: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = [process.communicate(timeout=300)[0] for process in processes]
    assert paths[0] == paths[1]
    assert [str(path) for path in cache.iterdir()] == [paths[0]]


@pytest.mark.parametrize(
    ("compiler", "problem"),
    [
        pytest.param("no-such-compiler", "needs a C compiler", id="no compiler"),
        pytest.param("false", "could not build", id="a compiler that fails"),
    ],
)
def test_a_missing_or_broken_compiler_is_one_clear_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, problem: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(InputError, match=problem) as caught:
        producer()
    assert "\n" not in str(caught.value)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cti: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="cannot be written"):
        producer()


def test_the_library_shows_the_standards_functions_alone(cti: Path) -> None:
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", cti], capture_output=True, text=True, check=False
    )
    if symbols.returncode:
        pytest.skip("no nm")
    names = [line.split()[-1] for line in symbols.stdout.splitlines()]
    assert len(names) >= 58
    assert all(name.startswith(("GC", "TL", "IF", "Dev", "DS", "Event")) for name in names)
