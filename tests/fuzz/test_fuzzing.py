"""Hostile input is accepted or refused as documented; nothing else ever happens."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from darkscan.faults.fuzz import TARGETS, Target, TargetName, Work, case_of, fuzz, target_of
from darkscan.faults.fuzz._engine import _Batch, _read_one
from darkscan.faults.fuzz._mutation import changed_tree
from darkscan.faults.fuzz._samples import sample
from darkscan.faults.fuzz._targets import _HostLink, _Messages
from darkscan.pipeline.core.errors import InputError
from tests.stages.running import darkscan

CORPUS = Path(__file__).parent / "corpus"
CASES: dict[TargetName, int] = {
    "messages": 3000,
    "host-link": 3000,
    "recordings": 60,
    "images": 150,
    "recipes": 200,
    "models": 8,
}


def files_of(target: TargetName) -> list[Path]:
    return sorted((CORPUS / target).iterdir())


@pytest.mark.parametrize(
    "kind", _Messages._kinds + _HostLink._kinds, ids=lambda kind: kind.__name__
)
def test_every_kind_of_message_has_samples_that_are_accepted(kind: type[BaseModel]) -> None:
    for seed in range(5):
        kind.model_validate(sample(kind, random.Random(seed)))  # noqa: S311 - repeatable


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_sound_is_accepted(target: TargetName, tmp_path: Path) -> None:
    reader = target_of(target, tmp_path)
    for data in reader.sound():
        reader.read(data)


@pytest.mark.parametrize(
    ("target", "path"),
    [(target, path) for target in TARGETS for path in files_of(target)],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_corpus_is_accepted_or_refused(target: TargetName, path: Path, tmp_path: Path) -> None:
    reader = target_of(target, tmp_path)
    with suppress(*reader.refusals):
        reader.read(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_drawn_cases_are_accepted_or_refused(target: TargetName, tmp_path: Path) -> None:
    reader, batch = target_of(target, tmp_path), _Batch()
    for number in range(CASES[target]):
        data = case_of(reader, 11, number)
        _read_one(reader, Work(target, 11), data, number, batch, 2**62)
    assert batch.findings == []
    assert batch.accepted + batch.refused == CASES[target]
    assert batch.refused


@pytest.mark.parametrize("target", TARGETS)
def test_a_case_follows_from_seed_and_number(target: TargetName, tmp_path: Path) -> None:
    reader = target_of(target, tmp_path)
    for number in (0, 1, 17):
        assert case_of(reader, 3, number) == case_of(reader, 3, number)


def test_a_model_whose_metadata_is_no_text_is_refused(tmp_path: Path) -> None:
    reader = target_of("models", tmp_path)
    (sound,) = reader.sound()
    assert b"darkscan.threshold" in sound
    with pytest.raises(InputError, match="its metadata is no UTF-8 text"):
        reader.read(sound.replace(b"darkscan.threshold", b"darkscan.threshol\xff"))


class Careless(Target):
    """Stands in for a reader with a mistake."""

    def read(self, data: bytes) -> None:
        raise KeyError(data.decode())


def test_another_exception_is_a_finding_with_its_input(tmp_path: Path) -> None:
    batch = _Batch()
    _read_one(Careless(tmp_path), Work("recipes", 1), b"case", 5, batch, 2**62)
    (finding,) = batch.findings
    assert (finding.number, finding.data, finding.what) == (5, b"case", "KeyError: 'case'")
    assert finding.place.startswith("KeyError test_fuzzing.py:")


def test_changes_leave_the_structure_that_they_start_from() -> None:
    tree: dict[str, Any] = {"a": [1, {"b": 2}], "c": "d"}
    rng = random.Random(1)  # noqa: S311 - repeatable
    assert any(changed_tree(tree, rng) != tree for _ in range(20))
    assert tree == {"a": [1, {"b": 2}], "c": "d"}


@pytest.mark.slow
def test_cases_run_in_a_process_of_their_own_and_are_counted() -> None:
    work = Work("messages", 1, (b"", b"\xc1"))
    counts = fuzz(work, seconds=120, cases=200, show=lambda _: None)
    assert counts.cases >= 200
    assert counts.accepted + counts.refused == counts.cases
    assert counts.findings == []


@pytest.mark.slow
def test_the_command_counts_and_names_what_it_cannot_fuzz(tmp_path: Path) -> None:
    arguments = ("fuzz", "recipes", "--cases", 20, "--minutes", 2, "--corpus", CORPUS)
    assert "recipes, seed 1: " in darkscan(*arguments).stdout
    assert "no such target; there are messages," in darkscan("fuzz", "mail", check=2).stderr
    missing = darkscan("fuzz", "--corpus", tmp_path / "none", check=2)
    assert "--corpus: is no folder" in missing.stderr
