"""Packages that are missing, old, broken, or crash whoever loads them."""

import tomllib
from pathlib import Path

import pytest

from darkscan.doctor._packages import USES, check_packages, requirements, try_imports
from tests.conftest import REPOSITORY
from tests.doctor.subjects import subject

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which the doctor's children import, too."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_every_extra_is_said_what_it_is_for() -> None:
    assert set(USES) == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("h5py>=3.15", ("h5py", "3.15", "")),
        ("torch; extra == 'learning'", ("torch", "", "learning")),
        ('uvicorn[standard]>=0.5 ; extra == "host"', ("uvicorn", "0.5", "host")),
    ],
    ids=["with a lower bound", "of an extra", "of an extra with a bound"],
)
def test_requirements_are_read_as_metadata_states_them(
    line: str, read: tuple[str, str, str]
) -> None:
    assert [tuple(each) for each in requirements([line])] == [read]


def test_what_prints_crashes_hangs_or_leaves_does_not_keep_the_rest_from_being_tried(
    modules: Path,
) -> None:
    sources = {
        "printing": "print('hello'); print('darkscan')",
        "failing": "raise ImportError('libgone.so.1: cannot open shared object file')",
        "crashing": "import os; os.kill(os.getpid(), 11)",
        "leaving": "import os; os._exit(3)",
        "hanging": "import time; time.sleep(600)",
        "fine": "",
    }
    for name, source in sources.items():
        (modules / f"{name}.py").write_text(source)
    broken = try_imports([*sources, "absent_module"], patience_s=5)
    assert broken == {
        "failing": "ImportError: libgone.so.1: cannot open shared object file",
        "crashing": "crashed (signal 11)",
        "leaving": "ended the process",
        "hanging": "did not load within 5 s",
        "absent_module": "ModuleNotFoundError: No module named 'absent_module'",
    }


@pytest.mark.parametrize(
    ("lines", "level", "said"),
    [
        (["no-such-package>=1"], "problem", "not installed: no-such-package"),
        (["numpy>=999.1"], "problem", "older than 999.1"),
        (["numpy>=1.25"], "ok", "numpy "),
    ],
    ids=["missing", "too old", "all there"],
)
def test_the_base_is_needed(
    lines: list[str], level: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: lines)
    (base,) = [each for each in check_packages(subject(tmp_path)) if each.subject == "base"]
    assert base.level == level
    assert said in base.text
    assert bool(base.advice) == (level != "ok")


@pytest.mark.parametrize(("wanted", "level"), [(False, "note"), (True, "problem")])
def test_an_extra_is_missed_only_where_it_is_needed(
    wanted: bool, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["numpy", "no-such-package; extra == 'rig'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: lines)
    looked_at = subject(tmp_path, rig_file=tmp_path / "rig.toml" if wanted else None)
    (rig,) = [each for each in check_packages(looked_at) if each.subject == "[rig]"]
    assert rig.level == level
    assert "pip install 'darkscan[rig]'" in rig.advice


def test_an_installation_from_before_an_extra_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["numpy"])
    (host,) = [
        each
        for each in check_packages(subject(tmp_path, store=tmp_path))
        if each.subject == "[host]"
    ]
    assert host.level == "problem"
    assert "pip install -e ." in host.advice
