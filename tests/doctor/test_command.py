"""``darkscan doctor`` as it is typed."""

import json
from pathlib import Path

import pytest

from darkscan.cli.main import main
from darkscan.doctor import CHECKS, Finding, Subject, _examination, examine
from tests.doctor.subjects import subject

GOOD = Finding("this", "ok", "as it should be")
NOTE = Finding("that", "note", "good to know", "look at it")
BAD = Finding("other", "problem", "does not work", "mend it")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the examination finds."""
    findings: list[Finding] = []
    monkeypatch.setattr("darkscan.cli.doctor.examine", lambda _: findings)
    return findings


@pytest.mark.parametrize(
    ("findings", "code"),
    [([GOOD], 0), ([GOOD, NOTE], 0), ([BAD, GOOD], 1)],
    ids=["all good", "with a note", "with a problem"],
)
def test_only_problems_are_a_failure(
    findings: list[Finding], code: int, found: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    found += findings
    assert main(["doctor"]) == code
    text = capsys.readouterr().out
    assert all(each.text in text and each.advice in text for each in findings)
    assert main(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == [each._asdict() for each in findings]


def test_every_check_is_there() -> None:
    for place in CHECKS.values():
        module, _, function = place.partition(".")
        assert callable(getattr(__import__(f"darkscan.doctor.{module}", fromlist=[""]), function))


def test_a_check_that_fails_or_does_not_load_is_a_finding_and_the_rest_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {
        "gone": "_no_such_module.check",
        "failing": "_machine.check_clock",
        "limit": "_machine.check_file_limit",
    }

    def fail(_: Subject) -> list[Finding]:
        raise RuntimeError("strange\nmachine")

    monkeypatch.setattr(_examination, "CHECKS", checks)
    monkeypatch.setattr("darkscan.doctor._machine.check_clock", fail)
    found = list(examine(subject(tmp_path)))
    assert [each.subject for each in found] == ["gone", "failing", "file limit"]
    assert "ModuleNotFoundError" in found[0].text
    assert found[1] == Finding(
        "failing", "problem", "could not be looked at: RuntimeError: strange"
    )


def test_a_recipe_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--recipe", "none.toml"]) == 2
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.slow
def test_a_whole_examination_ends_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["doctor", "--out", str(tmp_path), "--json"])
    found = [Finding(**each) for each in json.loads(capsys.readouterr().out)]
    assert code == any(each.level == "problem" for each in found)
    assert not [each for each in found if "could not be looked at" in each.text]
    assert {"darkscan", "base", "clock"} <= {each.subject for each in found}
