"""Stamps become a trace, and the trace figures, a table and the bottleneck's name."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest

from darkscan.cli import profile as command
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import FrameResult, Stamp
from darkscan.pipeline.running.timings import bottleneck, profile, write_trace
from tests.mapping.hand_made import meta, result

MS = 1_000_000
BEGIN = 7_000_000_000


def stamp(stage: str, received: float, started: float, finished: float, worker: int = 0) -> Stamp:
    return Stamp(
        stage=stage,
        worker=worker,
        received_ns=BEGIN + int(received * MS),
        started_ns=BEGIN + int(started * MS),
        finished_ns=BEGIN + int(finished * MS),
    )


def run_of_two_frames() -> list[FrameResult]:
    """Two frames; classification has two workers and 80 + 60 of their 2 x 100 ms to do."""
    first = (
        stamp("acquisition", 0, 1, 3),
        stamp("preprocessing", 4, 5, 10),
        stamp("classification", 11, 15, 95),
        stamp("merging", 96, 96, 98),
    )
    second = (
        stamp("acquisition", 2, 6, 8),
        stamp("preprocessing", 8, 10, 16),
        stamp("classification", 16, 20, 80, worker=1),
        stamp("merging", 80, 99, 101),
    )
    return [result(meta(0, 0, 0), stamps=first), result(meta(1, 0, 0), stamps=second)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_trace(tmp_path / "trace.json", run_of_two_frames())
    return tmp_path


def test_a_trace_has_a_named_process_for_each_stage_and_a_thread_for_each_worker(out: Path) -> None:
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert names == ["acquisition", "preprocessing", "classification", "merging"]
    threads = {
        e["args"]["name"]: (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"
    }
    assert threads["classification 0"] == (3, 1)
    assert threads["classification 1"] == (3, 2)


def test_work_and_waiting_are_told_apart_in_microseconds_from_the_first_stamp(out: Path) -> None:
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    work = [e for e in events if e["ph"] == "X"]
    assert len(work) == 8
    (classified,) = [e for e in work if e["pid"] == 3 and e["args"]["frame"] == 1]
    assert (classified["ts"], classified["dur"], classified["tid"]) == (20_000.0, 60_000.0, 2)
    waiting = [e for e in events if e.get("cat") == "waiting" and e["pid"] == 3]
    spans = {e["ph"]: e["ts"] for e in waiting if e["args"]["frame"] == 1}
    assert spans == {"b": 16_000.0, "e": 20_000.0}
    assert min(e["ts"] for e in events if "ts" in e) == 0.0


def test_every_waiting_span_begins_and_ends_once_under_an_id_of_its_own(out: Path) -> None:
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    begun = [e["id"] for e in events if e["ph"] == "b"]
    ended = [e["id"] for e in events if e["ph"] == "e"]
    assert len(set(begun)) == len(begun) == 8
    assert begun == ended


def test_the_profile_has_the_stages_figures_in_the_chains_order(out: Path) -> None:
    profiles = profile(out / "trace.json")
    assert [p.stage for p in profiles] == [
        "acquisition",
        "preprocessing",
        "classification",
        "merging",
    ]
    acquisition, _, classification, merging = profiles
    assert (classification.workers, classification.frames) == (2, 2)
    assert classification.utilization == pytest.approx((80 + 60) / (2 * 100))
    assert classification.working.p50_ms == pytest.approx(70)
    assert classification.working.max_ms == pytest.approx(80)
    # Since the previous stage's end: 15 - 10 and 20 - 16; the queue between counts.
    assert classification.waiting.max_ms == pytest.approx(5)
    assert classification.waiting.p50_ms == pytest.approx(4.5)
    assert merging.waiting.max_ms == pytest.approx(19)
    # The first stage has none before it: since it received the frame.
    assert acquisition.waiting.max_ms == pytest.approx(4)
    assert bottleneck(profiles) is classification


def test_a_stage_that_started_before_its_forerunner_ended_did_not_wait(tmp_path: Path) -> None:
    resent = (stamp("acquisition", 0, 0, 50), stamp("preprocessing", 20, 30, 40))
    write_trace(tmp_path / "trace.json", [result(meta(0, 0, 0), stamps=resent)])
    _, preprocessing = profile(tmp_path / "trace.json")
    assert preprocessing.waiting.max_ms == 0.0


def test_the_command_prints_a_table_and_names_the_bottleneck(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["profile", str(out)])
    assert arguments.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        *("stage", "workers", "frames", "waited", "p50", "p99", "max", "ms"),
        *("worked", "p50", "p99", "max", "ms", "utilization"),
    ]
    assert lines[3].split()[:4] == ["classification", "2", "2", "4.50"]
    assert lines[3].endswith("70.0 %")
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[-1] == ("Bottleneck: classification; its 2 workers were busy 70.0 % of the run.")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "holds no trace.json"),
        ("", "is not a trace"),
        ("{", "is not a trace"),
        ("[1, 2]", "trace.json: "),
        ('{"traceEvents": [{"ph": "X", "pid": "one"}]}', r"traceEvents\.0\.pid"),
        ('{"traceEvents": [{"ph": "X", "pid": 1, "cat": "work", "ts": NaN}]}', "finite"),
        ('{"traceEvents": []}', "holds no frame"),
    ],
    ids=[
        "no trace",
        "an empty file",
        "a torn file",
        "another JSON file",
        "a field of the wrong type",
        "a time that is none",
        "a run without a frame",
    ],
)
def test_a_folder_without_a_sound_trace_is_refused_in_one_line(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / "trace.json").write_text(content)
    parser = ArgumentParser()
    command.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["profile", str(tmp_path)])
    with pytest.raises(InputError, match=problem) as error:
        arguments.run(arguments)
    assert "\n" not in str(error.value)


def test_a_run_without_results_writes_an_empty_but_sound_trace(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.json", [])
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == []
