"""The wire: what is sent arrives, and what is none of ours is refused."""

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.pipeline.core.frame_results import (
    MOST_LINES,
    Centrelines,
    FrameResult,
    SpotMeasures,
    Spots,
    Stamp,
    Traces,
)
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.transport.messages import (
    WIRE_VERSION,
    Acknowledged,
    Captured,
    FrameRef,
    Prepared,
    Thumbnail,
    decode,
    describe,
    encode,
)
from tests.builders import frame_meta, frame_result

REF = FrameRef(session=1, frame=9, slot=2, generation=4, attempt=1)
STAMP = Stamp(stage="acquisition", received_ns=1, started_ns=2, finished_ns=3)


def test_a_prepared_frame_arrives_as_it_was() -> None:
    sent = Prepared(
        ref=REF,
        meta=frame_meta(9, 1.5, 2.5),
        gains=np.array([5.1], np.float32),
        offsets=np.array([-3.0], np.float32),
        stamps=(STAMP,),
    )
    got = decode(encode(sent))
    assert isinstance(got, Prepared)
    assert (got.ref, got.meta, got.stamps) == (sent.ref, sent.meta, sent.stamps)
    for field in ("gains", "offsets"):
        np.testing.assert_array_equal(getattr(got, field), getattr(sent, field))
        assert getattr(got, field).dtype == getattr(sent, field).dtype


def test_a_thumbnail_arrives_as_it_was() -> None:
    sent = Thumbnail(ref=REF, pixels=np.array([[1, 2], [3, 4000]], np.uint16))
    got = decode(encode(sent))
    assert isinstance(got, Thumbnail)
    assert got.ref == sent.ref
    np.testing.assert_array_equal(got.pixels, sent.pixels)
    assert got.pixels.dtype == sent.pixels.dtype


LINES = Centrelines(
    points=np.array([[3.5, 4.0], [60.0, 4.5], [1.0, 2.0], [1.0, 90.25]], np.float32),
    counts=np.array([2, 2], np.int32),
    measures=np.array([[2.5, 0.1, 3, 0.5, 4, 0, 0], [3, 0.1, 4, 0.2, -9.5, 0.5, 1]], np.float32),
    kinds=np.array([[0.9, 0, 0, 0.1], [np.nan] * 4], np.float32),
)


def test_centre_lines_travel_with_their_frame_in_equal_bytes() -> None:
    sent = frame_result(9).model_copy(update={"traces": Traces(lines=LINES)})
    got = decode(encode(sent))
    assert isinstance(got, FrameResult)
    for field in Centrelines.model_fields:
        np.testing.assert_array_equal(
            getattr(got.traces.lines, field), getattr(LINES, field), strict=True
        )
    assert encode(got) == encode(sent)


def _lines(**changes: object) -> dict[str, object]:
    return LINES.model_dump() | changes


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param(_lines(counts=np.array([2, 3], np.int32)), "add up", id="too few points"),
        pytest.param(
            _lines(counts=np.array([3, 1], np.int32)), "2 or more", id="a line of a point"
        ),
        pytest.param(
            _lines(counts=np.array([5, -1], np.int32)), "2 or more", id="a negative count"
        ),
        pytest.param(_lines(counts=np.array([2, 2], np.uint8)), "counts", id="another type"),
        pytest.param(
            _lines(measures=np.ones((3, 7), np.float32)), "measures", id="measures too many"
        ),
        pytest.param(
            _lines(measures=-np.ones((2, 7), np.float32)), "negative", id="a negative width"
        ),
        pytest.param(
            _lines(points=np.full((4, 2), np.nan, np.float32)), "points", id="a place that is none"
        ),
        pytest.param(_lines(points=np.ones((2, 4), np.float32)), "points", id="points of four"),
        pytest.param(_lines(points=np.array(1, np.float32)), "points", id="a lone number"),
        pytest.param(
            _lines(counts=np.full(MOST_LINES + 1, 2, np.int32)), "more than", id="too many lines"
        ),
    ],
)
def test_refuses_centre_lines_that_are_none(lines: dict[str, object], reason: str) -> None:
    arrays = {
        name: [str(value.dtype), list(value.shape), value.tobytes()]
        if isinstance(value, np.ndarray)
        else value
        for name, value in lines.items()
    }
    with pytest.raises(WireError, match=reason):
        decode(_result_with("traces", {"lines": arrays}))


def test_spots_travel_too_and_have_three_corners_at_least() -> None:
    corners = np.array([[1, 1], [4, 1], [2, 5]], np.float32)
    measures = np.ones((1, len(SpotMeasures._fields)), np.float32)
    kinds = np.array([[0, 0, 0.75, 0]], np.float32)
    spots = Spots(points=corners, counts=np.array([3], np.int32), measures=measures, kinds=kinds)
    got = decode(encode(frame_result(9).model_copy(update={"traces": Traces(spots=spots)})))
    assert isinstance(got, FrameResult)
    np.testing.assert_array_equal(got.traces.spots.points, corners)
    np.testing.assert_array_equal(got.traces.spots.kinds, kinds)
    with pytest.raises(ValueError, match="3 or more"):
        Spots(points=corners[:2], counts=np.array([2], np.int32), measures=measures, kinds=kinds)


def test_a_captured_frame_carries_no_pixels() -> None:
    message = encode(Captured(ref=REF, meta=frame_meta(9), stamps=(STAMP,)))
    assert len(message) < 400


def _envelope(**changes: object) -> bytes:
    envelope = {
        "v": WIRE_VERSION,
        "kind": "Acknowledged",
        "body": {"frame": 1, "outcome": "mapped"},
    }
    packed: bytes = msgpack.packb(envelope | changes)
    return packed


def _result_with(field: str, value: object) -> bytes:
    body = frame_result(1).model_dump() | {field: value}
    return _envelope(kind="FrameResult", body=body)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "not msgpack", id="nothing"),
        pytest.param(b"\xc1\x00\xff", "not msgpack", id="noise"),
        pytest.param(_envelope()[:-3], "not msgpack", id="cut off"),
        pytest.param(msgpack.packb([1, 2]), "not a darkscan message", id="a list"),
        pytest.param(_envelope(v=1), "wire version 1", id="another version"),
        pytest.param(_envelope(kind="Launch"), "unknown kind", id="an unknown kind"),
        pytest.param(_envelope(body={"frame": 1}), "Acknowledged.outcome", id="a missing field"),
        pytest.param(
            _envelope(body={"frame": -1, "outcome": "mapped"}), "frame", id="a negative frame"
        ),
        pytest.param(
            _envelope(body={"frame": 1, "outcome": "mapped", "x": 1}), "x", id="an extra field"
        ),
        pytest.param(_envelope(body=msgpack.ExtType(5, b"xx")), "not msgpack", id="an ext type"),
        pytest.param(b"\xdd\xff\xff\xff\xff", "not msgpack", id="a huge array announced"),
        pytest.param(b"\x91" * 5000 + b"\xc0", "not msgpack", id="deep nesting"),
        pytest.param(_envelope(kind=b"\xff\xfe"), "unknown kind", id="a kind in bytes"),
        pytest.param(
            _result_with("scores", ["float32", [3], b"\0" * 4]), "scores", id="an array cut off"
        ),
        pytest.param(
            _result_with("scores", ["object", [1], b"\0" * 8]), "scores", id="an array of objects"
        ),
        pytest.param(
            _result_with("scores", ["float32", [-1], b"\0" * 4]), "scores", id="a negative shape"
        ),
        pytest.param(
            _result_with("scores", ["float32", 5, b"\0" * 4]), "scores", id="a shape that is none"
        ),
    ],
)
def test_refuses_what_is_no_message(data: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        decode(data)


@given(data=st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


def test_a_position_that_is_no_number_is_refused() -> None:
    body = frame_result(1).model_dump()
    body["meta"]["position_mm"] = [float("nan"), 0.0, 0.0]
    with pytest.raises(WireError, match="position_mm"):
        decode(_envelope(kind="FrameResult", body=body))


def test_what_nobody_would_accept_is_not_sent() -> None:
    large = frame_result(1).model_copy(update={"thumbnail": np.zeros((9000, 9000), np.uint8)})
    with pytest.raises(WireError, match="too large to send"):
        encode(large)


def test_an_error_is_described_in_one_short_line() -> None:
    line = describe(ValueError("first\nsecond" + "x" * 1000))
    assert line == "ValueError: first"
    assert len(describe(ValueError("x" * 1000))) == 300


def test_plain_messages_are_equal_after_the_journey() -> None:
    message = Acknowledged(frame=3, outcome="quarantined")
    assert decode(encode(message)) == message
    assert isinstance(decode(encode(frame_result(2))), FrameResult)
