"""Merging puts a frame's scores and its thumbnail together before it counts the frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from darkscan.pipeline.core.frame_results import FrameResult, NotInspected, Traces
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RunFolder, RunSpec
from darkscan.pipeline.transport.links import Inbox
from darkscan.pipeline.transport.messages import (
    Acknowledged,
    Failed,
    FrameRef,
    FrameScores,
    Message,
    Thumbnail,
)
from darkscan.pipeline.transport.station import Station
from darkscan.stages.merging.stage import Merging
from tests.builders import frame_meta, scan_info
from tests.mapping.hand_made import MODEL
from tests.stages.at_rest import AtRest

SHAPE = (320, 384)
WINDOWS = 4


def ref(frame: int, *, session: int = 1, attempt: int = 0) -> FrameRef:
    return FrameRef(session=session, frame=frame, slot=0, generation=1, attempt=attempt)


def scores(of: FrameRef, score: float = 0.25, count: int = WINDOWS) -> FrameScores:
    return FrameScores(
        ref=of,
        meta=frame_meta(of.frame),
        scores=np.full(count, score, np.float32),
        traces=Traces(),
        stamps=(),
    )


def thumbnail(of: FrameRef, grey: int = 7) -> Thumbnail:
    return Thumbnail(ref=of, pixels=np.full((2, 2), grey, np.uint8))


class AtWork:
    """Merging, and acquisition's inbox, where its answers go."""

    def __init__(self, run_dir: Path, spec: RunSpec) -> None:
        self.acquisition = Inbox(run_dir, "acquisition")
        self.merging = Merging(run_dir, spec, cast("Station", AtRest()))

    def hear(self, *messages: Message) -> None:
        for message in messages:
            self.merging._take(message)

    def close(self) -> None:
        self.merging._journal.close()
        for link in (self.acquisition, self.merging._inbox, self.merging._to_acquisition):
            link.close()

    def said(self) -> Message:
        assert self.acquisition.socket.poll(10_000)
        message = self.acquisition.next()
        assert message is not None
        return message

    def record(self, frame: int) -> FrameResult:
        record = self.merging._journal.settled[FrameId(frame)]
        assert isinstance(record, FrameResult)
        return record


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    with RunFolder() as folder:
        work = AtWork(folder.path, updated(SPEC, out_dir=tmp_path))
        yield work
        work.close()


SPEC = RunSpec.model_validate(
    {
        "scan_id": "0" * 32,
        "out_dir": Path(),
        "recipe": {},
        "recipe_hash": "sha256:0",
        "model_path": Path("model.onnx"),
        "model": MODEL,
        "scan": scan_info(SHAPE),
        "thumbnail_scale": 1,
        "backend": "onnxruntime",
        "workers": 1,
        "threads": 1,
    }
)


@pytest.mark.parametrize("first", ["scores", "thumbnail"])
def test_a_frame_counts_once_both_are_there(at_work: AtWork, first: str) -> None:
    parts: list[Message] = [thumbnail(ref(3)), scores(ref(3, attempt=1))]
    if first == "scores":
        parts.reverse()
    at_work.hear(parts[0])
    assert at_work.merging._journal.settled == {}
    at_work.hear(parts[1])
    assert at_work.said() == Acknowledged(frame=3, outcome="mapped")
    record = at_work.record(3)
    assert record.thumbnail.tolist() == [[7, 7], [7, 7]]
    assert record.origins.tolist() == MODEL.origins(SHAPE).tolist()
    at_work.hear(thumbnail(ref(3), grey=9), scores(ref(3), 0.75))  # sent again: the first counts
    assert at_work.said() == Acknowledged(frame=3, outcome="mapped")
    assert at_work.record(3).thumbnail[0, 0] == 7


def test_a_frame_taken_again_is_not_shown_by_the_thumbnail_of_before(at_work: AtWork) -> None:
    at_work.hear(thumbnail(ref(3)), scores(ref(3, session=2)))
    assert at_work.merging._journal.settled == {}
    at_work.hear(thumbnail(ref(3, session=2), grey=9))
    assert at_work.record(3).thumbnail[0, 0] == 9


def test_a_frame_set_aside_needs_neither(at_work: AtWork) -> None:
    at_work.hear(
        thumbnail(ref(3)),
        NotInspected(meta=frame_meta(3), kind="quarantined", reason="failed"),
    )
    assert at_work.said() == Acknowledged(frame=3, outcome="quarantined")
    assert not at_work.merging._thumbnails


@pytest.mark.expects_errors
def test_scores_of_other_windows_are_the_frames_error(at_work: AtWork) -> None:
    at_work.hear(thumbnail(ref(3)), scores(ref(3), count=3))
    failed = at_work.said()
    assert isinstance(failed, Failed)
    assert failed.error == "3 scores came for 4 windows"
