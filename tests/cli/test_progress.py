"""What a run shows of itself."""

import io

import pytest

from darkscan.cli.progress import ProgressBar, ProgressView
from darkscan.pipeline.core.frame_results import LedgerSums
from darkscan.pipeline.running.supervisor import Progress
from darkscan.pipeline.transport.messages import Status


def test_a_line_says_what_an_operator_wants_to_know() -> None:
    stream = io.StringIO()
    progress = Progress()
    sums = LedgerSums(captured=7, mapped=3, quarantined=1, lost=1, in_flight=2)
    progress.statuses = {
        ("acquisition", 0): Status(stage="acquisition", index=0, pid=1, frames=7, sums=sums),
        ("preprocessing", 0): Status(stage="preprocessing", index=0, pid=2, frames=6, queue=2),
        ("merging", 0): Status(stage="merging", index=0, pid=3, frames=5, positives=11),
    }
    progress.restarts["classification"] = 2
    with ProgressView(20, stream) as view:
        view.show(progress)
        view.show(progress)  # too soon for another line
    line, last = stream.getvalue().splitlines()
    assert last == line  # the second showing, at the end of the run
    for cell in (
        "frames 5/20",
        "in flight 2",
        "queued 2",
        "positive windows 11",
        "lost 1",
        "quarantined 1",
        "restarts 2",
    ):
        assert cell in line


def test_counted_work_says_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 100.0
    monkeypatch.setattr("darkscan.cli.progress.time.monotonic", lambda: clock)
    stream = io.StringIO()
    with ProgressBar("training", "steps", total=50, stream=stream) as bar:
        bar.show(1)
        clock += 11
        bar.show(7, note="loss 0.500")
        bar.advance(2)  # too soon for another line
        clock += 11
        bar.advance(3)
    assert stream.getvalue().splitlines() == [
        "training: 7 of 50 steps loss 0.500",
        "training: 12 of 50 steps",
    ]
