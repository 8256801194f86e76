"""Between the desk and the network: who has which frame, and what is believed of an answer."""

from collections.abc import Iterator

import msgpack
import numpy as np
import pytest

from darkscan.pipeline.core.frame_results import Centrelines, LineMeasures, Traces
from darkscan.pipeline.transport.messages import (
    WIRE_VERSION,
    Capacity,
    Captured,
    Failed,
    FrameRef,
    FrameScores,
    Join,
    Joined,
    JoinFirst,
    Leaving,
    Message,
    ModelFile,
    NotScored,
    Prepared,
    Refused,
    RunEnded,
    Scored,
    StillHere,
    WantModel,
    decode,
    encode,
)
from tests.remote.rest_of_a_run import (
    MODEL,
    SHAPE,
    WINDOWS,
    HandWorker,
    RestOfARun,
    gateway,
    message_in,
    until,
)


def test_a_frame_goes_out_with_its_pixels_and_comes_back_as_a_result() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        assert worker.join().scan.frame_shape == SHAPE
        sent = rest.prepare(7, slot=3)
        rest.hand_out(sent)
        got, pixels = worker.hear(Prepared)
        assert got.ref == sent.ref
        assert pixels == bytes([7]) * (SHAPE[0] * SHAPE[1])
        assert rest.ring.is_held(3)
        worker.score(got.ref, 0.25)
        result = message_in(rest.merging, FrameScores)
        assert (result.meta, result.scores.tolist()) == (sent.meta, [0.25] * WINDOWS)
        assert result.stamps[-1].stage == "classification"
        until(lambda: not rest.ring.is_held(3))
        worker.close()


def test_the_model_comes_once_and_on_request() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.say(worker.join_message)
        joined, payload = worker.hear(Joined)
        assert payload == b""
        worker.say(WantModel())
        _, content = worker.hear(ModelFile)
        assert len(content) == joined.model_bytes
        assert content == MODEL.read_bytes()
        worker.say(WantModel())
        refused, _ = worker.hear(Refused)
        assert refused.reason == "it wants the model twice"
        worker.close()


def test_no_more_frames_are_in_a_workers_hands_than_it_takes() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.join(frames=2)
        worker.prove(rest)
        for frame in range(2):
            rest.hand_out(rest.prepare(frame, slot=frame))
        got, _ = worker.hear(Prepared)
        worker.hear(Prepared)
        rest.desk.listen()
        assert not rest.desk.somebody_waits
        worker.score(got.ref)
        rest.hand_out(rest.prepare(2, slot=2))
        worker.hear(Prepared)
        worker.close()


@pytest.mark.parametrize("how", ["says so", "is cut off", "says nothing any more"])
def test_what_a_worker_had_that_goes_is_prepared_again(how: str) -> None:
    # Who is awaited may be late on a loaded machine, and is not to be taken for gone.
    silent = how == "says nothing any more"
    with gateway(stage_timeout_s=3.0 if silent else 60.0) as rest:
        worker = HandWorker(rest.address)
        worker.join()
        sent = rest.prepare(4, slot=0)
        rest.hand_out(sent)
        worker.hear(Prepared)
        if how == "says so":
            worker.say(Leaving())
        elif how == "is cut off":
            worker.close()
        again = message_in(rest.preprocessing, Captured)
        assert (again.ref, again.meta) == (sent.ref, sent.meta)
        assert not rest.ring.is_held(0)
        if silent:
            worker.hear(JoinFirst)
            worker.score(sent.ref)  # too late
            worker.hear(JoinFirst)
        assert rest.acquisition.next() is None
        assert rest.merging.next() is None
        worker.close()


def test_a_frame_of_which_one_worker_after_the_other_is_lost_has_failed() -> None:
    with gateway() as rest:
        sent = rest.prepare(4, slot=0)
        for number in range(2):
            worker = HandWorker(rest.address, process=str(number))
            worker.join()
            rest.hand_out(sent)
            worker.hear(Prepared)
            worker.close()
            if number == 0:
                message_in(rest.preprocessing, Captured)
        failed = message_in(rest.acquisition, Failed)
        assert failed.frame == 4
        assert "was lost while at work on it" in failed.error


def test_a_frame_is_not_blamed_for_a_bad_network() -> None:
    with gateway() as rest:
        sent = rest.prepare(4, slot=0)
        for _ in range(3):
            worker = HandWorker(rest.address)  # the same again: it was only cut off
            worker.join()
            rest.hand_out(sent)
            worker.hear(Prepared)
            worker.close()
            message_in(rest.preprocessing, Captured)
        assert rest.acquisition.next() is None


def test_a_frame_that_the_desk_gave_for_a_worker_that_had_gone_is_not_lost() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.join(frames=1)
        until(rest.somebody_asks)
        worker.close()
        until(lambda: "worker gone" in rest.log())
        sent = rest.prepare(4, slot=0)
        assert rest.desk.hand_out(sent)  # it has not heard that nobody wants it any more
        assert message_in(rest.preprocessing, Captured).ref == sent.ref


def test_an_error_elsewhere_is_the_frames() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address, name="far away")
        worker.join()
        rest.hand_out(rest.prepare(4, slot=0))
        got, _ = worker.hear(Prepared)
        worker.say(NotScored(ref=got.ref, error="ValueError: no"))
        failed = message_in(rest.acquisition, Failed)
        assert (failed.frame, failed.error) == (4, "far away: ValueError: no")
        worker.close()


def test_an_answer_to_a_slot_that_has_moved_on_does_not_count() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.join()
        worker.prove(rest)
        rest.hand_out(rest.prepare(4, slot=0))
        old, _ = worker.hear(Prepared)
        rest.ring.begin_session()
        rest.hand_out(rest.prepare(5, slot=0))
        new, _ = worker.hear(Prepared)
        worker.score(old.ref)
        worker.score(new.ref)
        assert message_in(rest.merging, FrameScores).meta.frame == 5
        worker.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[RestOfARun]:
    """One gateway for many who come and go."""
    with gateway() as rest:
        yield rest


def wrong(sent: Prepared, changes: dict[str, object]) -> Scored:
    fields = {
        "ref": sent.ref,
        "scores": np.zeros(WINDOWS, np.float32),
        "traces": Traces(),
        "worked_ns": 1,
    }
    return Scored.model_validate(fields | changes)


FAR_LINE = Centrelines(
    points=np.array([[1, 1], [9999, 1]], np.float32),
    counts=np.array([2], np.int32),
    measures=np.ones((1, len(LineMeasures._fields)), np.float32),
    kinds=np.full((1, 4), np.nan, np.float32),
)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scores": np.zeros(3, np.float32)}, id="too many scores"),
        pytest.param({"scores": np.zeros(WINDOWS, np.float64)}, id="scores of another type"),
        pytest.param({"scores": np.array([0, 0, 0, np.nan], np.float32)}, id="no number"),
        pytest.param({"scores": np.array([0, 0, 0, 2], np.float32)}, id="no probability"),
        pytest.param({"traces": Traces(lines=FAR_LINE)}, id="a line outside of the frame"),
    ],
)
def test_an_answer_that_cannot_be_one_is_the_frames_error_and_its_worker_goes_on(
    shared: RestOfARun, changes: dict[str, object]
) -> None:
    worker = HandWorker(shared.address)
    worker.join(frames=1)
    sent = shared.prepare(4, slot=0)
    shared.hand_out(sent)
    worker.hear(Prepared)
    worker.say(wrong(sent, changes))
    failed = message_in(shared.acquisition, Failed)
    assert failed.frame == 4
    assert "by hand: its answer is none" in failed.error
    assert shared.merging.next() is None
    until(lambda: not shared.ring.is_held(0))
    shared.hand_out(sent)
    worker.hear(Prepared)
    worker.score(sent.ref)
    message_in(shared.merging, FrameScores)
    worker.say(Leaving())
    worker.close()
    shared.ring.release(0)


def test_a_worker_all_of_whose_answers_are_none_is_refused(shared: RestOfARun) -> None:
    worker = HandWorker(shared.address, name="nonsense")
    worker.join(frames=1)
    sent = shared.prepare(4, slot=0)
    for _ in range(10):
        shared.hand_out(sent)
        worker.hear(Prepared)
        worker.say(wrong(sent, {"scores": np.zeros(3, np.float32)}))
        message_in(shared.acquisition, Failed)
    refused, _ = worker.hear(Refused)
    assert "and so were those before" in refused.reason
    worker.close()
    shared.ring.release(0)


def test_a_worker_that_joins_again_over_the_same_connection_is_welcome() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.join()
        sent = rest.prepare(4, slot=0)
        rest.hand_out(sent)
        worker.hear(Prepared)

        def welcomed() -> bool:
            worker.say(worker.join_message)
            return bool(worker.socket.poll(200)) and isinstance(
                decode(worker.socket.recv_multipart()[0]), Joined
            )

        until(welcomed)
        assert message_in(rest.preprocessing, Captured).ref == sent.ref
        assert rest.acquisition.next() is None  # nobody is blamed
        worker.close()


FIRST = FrameRef(session=1, frame=0, slot=0, generation=1, attempt=0)
ODD = msgpack.packb(
    {
        "v": WIRE_VERSION,
        "kind": "Scored",
        "body": {
            "ref": FIRST.model_dump(),
            "scores": [[], [], b""],
            "centrelines": {},
            "worked_ns": 1,
        },
    }
)
NEWER = msgpack.packb({"v": 99, "kind": "Join", "body": {}})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(b"\xc1 nonsense", "not msgpack", id="nonsense"),
        pytest.param(b"", "not msgpack", id="nothing"),
        pytest.param(ODD, "Scored.scores: Value error, arrays of [] are not", id="odd array"),
        pytest.param(NEWER, "wire version 99 is not", id="another wire version"),
        pytest.param(
            encode(Join(name="old", process="1", version="99.0")),
            "it runs darkscan 99.0, this run",
            id="another darkscan",
        ),
    ],
)
def test_who_speaks_another_language_is_told_once_and_the_run_goes_on(
    shared: RestOfARun, said: bytes, expected: str
) -> None:
    before = shared.log().count("worker refused")
    stranger = HandWorker(shared.address)
    for _ in range(3):
        stranger.say(said)
    refused, _ = stranger.hear(Refused)
    assert expected in refused.reason
    assert "\n" not in refused.reason
    worker = HandWorker(shared.address)
    worker.join()
    assert not stranger.socket.poll(100)
    assert shared.log().count("worker refused") == before + 1
    worker.say(Leaving())
    worker.close()
    stranger.close()


@pytest.mark.parametrize("message", [Capacity(frames=1), StillHere(), Leaving()])
def test_who_has_not_joined_is_asked_to(shared: RestOfARun, message: Message) -> None:
    worker = HandWorker(shared.address)
    worker.say(message)
    worker.hear(JoinFirst)
    worker.close()


def test_workers_hear_that_the_run_has_ended() -> None:
    with gateway() as rest:
        worker = HandWorker(rest.address)
        worker.join()
        rest.stop()
        worker.hear(RunEnded)
        worker.say(Leaving())
        worker.close()
