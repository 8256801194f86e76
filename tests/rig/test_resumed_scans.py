"""Scans of a simulated rig that were killed go on at the frames that are missing."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.transport.journal import JOURNAL_NAME, read_journal
from tests.conftest import REPOSITORY
from tests.stages.running import darkscan
from tests.stages.test_resume import killed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)"),
]

CHANGES = {"size_mm": "[16.0, 12.0]", "width": "512", "height": "512", "settle_s": "0.5"}


def rig_file(folder: Path, **changes: str) -> Path:
    """A rig that takes its time for an element of a few frames."""
    text = (REPOSITORY / "configs" / "rig-area-simulated.toml").read_text()
    text = text[: text.index("# The element's plane")] + text[text.index("# The dark-field") :]
    for key, value in (CHANGES | changes).items():
        text = re.sub(rf"^{key} = [^#\n]*", f"{key} = {value} ", text, flags=re.MULTILINE)
    path = folder / "rig.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scan that was recorded, too, and killed; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("killed")
    rig, out, record = rig_file(folder), folder / "out", folder / "scan.h5"
    killed(out, 4, "run", "--rig", rig, "--out", out, "--record", record)
    return folder


@pytest.fixture
def unfinished(broken_off: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(broken_off, tmp_path / "scan"))


def test_a_killed_scan_goes_on_at_the_first_frame_missing(unfinished: Path) -> None:
    out, rig = unfinished / "out", unfinished / "rig.toml"
    before = read_journal(out / JOURNAL_NAME)
    done = darkscan("run", "--rig", rig, "--resume", out)
    found = read_map(out)
    assert found.coverage.complete
    assert found.ledger.mapped == found.ledger.captured > len(before) >= 4
    assert json.loads((out / "run.json").read_text())["inspected_before"] == len(before)
    (warning,) = found.warnings
    assert "was broken off and resumed" in warning
    assert f"warning: {warning}" in done.stdout
    # The journal's places are those at which the first run took the frames.
    spans = json.loads((out / "trace.json").read_text())
    assert spans
    assert {entry.name for entry in out.iterdir()}.isdisjoint({JOURNAL_NAME, "resume.json"})
    with Recording(unfinished / "scan.h5") as recording:  # it stays as it is
        taken = {meta.frame for meta in recording.frames if meta.usable}
    assert 0 < len(taken) < found.ledger.captured


def options(*given: str) -> Callable[[Path], tuple[str, ...]]:
    return lambda _: given


def another_pitch(folder: Path) -> tuple[str, ...]:
    rig_file(folder, pitch_um="11.0")
    return ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (options("--record", "new.h5"), "--record: a scan that goes on is not recorded"),
        (options("--side", "back"), "resume.json: plan: the unfinished run has"),
        (another_pitch, "resume.json: plan: the unfinished run has"),
    ],
    ids=["recorded anew", "another side", "another rig"],
)
def test_what_a_scan_cannot_go_on_with_is_refused(
    unfinished: Path, change: Callable[[Path], tuple[str, ...]], problem: str
) -> None:
    rig = unfinished / "rig.toml"
    more = change(unfinished)
    done = darkscan("run", "--rig", rig, "--resume", unfinished / "out", *more, check=2)
    assert problem in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_scan_is_no_replay(unfinished: Path) -> None:
    done = darkscan("replay", "--resume", unfinished / "out", check=2)
    assert "holds a rig's scan: darkscan run --resume goes on with it" in done.stderr
