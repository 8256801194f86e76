"""What rigs send is kept once, in whatever order and however often it comes; bad content is not."""

import zlib
from collections.abc import Callable
from hashlib import sha256

import msgpack
import numpy as np
import pytest

from darkscan.host.store import FrameCounts, RigName, Store, StoreEvent
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.host_link.messages import (
    HOST_WIRE_VERSION,
    Content,
    FramesSettled,
    MapFinished,
    News,
    Parcel,
    ScanBegan,
    new_id,
)
from tests.host_examples import ExampleScan, parcel
from tests.host_store.conftest import RIG, outcomes, send


def test_a_whole_scan_is_stored_and_known_when_it_comes_again(
    store: Store, example: ExampleScan
) -> None:
    parcels = example.parcels(tiles=True)
    first = store.receive(RIG, parcels)
    assert [receipt.id for receipt in first] == [parcel.id for parcel in parcels]
    assert set(outcomes(first)) == {"stored"}
    before = store.scan(example.scan)
    assert set(outcomes(store.receive(RIG, parcels))) == {"known"}
    assert store.scan(example.scan) == before


def test_contents_in_new_envelopes_are_known_too(store: Store, example: ExampleScan) -> None:
    store.receive(RIG, example.parcels(tiles=True))
    before = store.scan(example.scan), store.frames(example.scan).number.tolist()
    again = store.receive(RIG, example.parcels(tiles=True, batch=5))
    assert set(outcomes(again)) == {"known"}
    assert (store.scan(example.scan), store.frames(example.scan).number.tolist()) == before
    assert store.stage_timings(example.scan).stages[0].frames == example.frames - 1


def test_a_parcel_twice_in_one_delivery_is_kept_once(store: Store, example: ExampleScan) -> None:
    one = parcel(example.scan, example.began())
    assert outcomes(store.receive(RIG, [one, one])) == ["stored", "known"]


def test_frames_settled_twice_count_once(store: Store, example: ExampleScan) -> None:
    batches = example.settled(batch=8)
    overlapping = example.settled(batch=12)[0]
    send(store, example, example.began(), batches[0], overlapping)
    found = store.scan(example.scan)
    assert found.frames.mapped == 12
    shapes = store.shapes(example.scan)
    assert (
        len(shapes.counts)
        == len(batches[0].shapes.counts) + np.isin(overlapping.shapes.frames, range(8, 12)).sum()
    )
    assert store.stage_timings(example.scan).stages[0].frames == 12


def test_the_map_has_the_last_word_on_how_many_frames_there_are(
    store: Store, example: ExampleScan
) -> None:
    send(store, example, example.began(), example.map_finished(), *example.settled())
    frames = store.scan(example.scan).frames
    assert frames == FrameCounts(planned=24, mapped=23, quarantined=1, lost=0)


@pytest.mark.parametrize("number", [1, 2, 3, 4], ids=["frames", "map", "end", "tile"])
def test_what_comes_before_its_beginning_is_refused(
    store: Store, example: ExampleScan, number: int
) -> None:
    contents: list[Content] = [
        example.began(),
        example.settled()[0],
        example.map_finished(),
        example.ended(),
        example.tile(1, 0, 0),
    ]
    (receipt,) = send(store, example, contents[number])
    assert receipt.outcome == "refused"
    assert receipt.reason == ("this host knows no such scan: send its folder with darkscan send")
    assert store.scans().scans == []


def test_a_refused_parcel_does_not_take_others_with_it(store: Store, example: ExampleScan) -> None:
    bad = Parcel(id=new_id(), scan=example.scan, content=b"\x00")
    good = [parcel(example.scan, content) for content in (example.began(), example.ended())]
    assert outcomes(store.receive(RIG, [good[0], bad, good[1]])) == [
        "stored",
        "refused",
        "stored",
    ]


def test_a_rig_adds_only_to_its_own_scans(store: Store, example: ExampleScan) -> None:
    send(store, example, example.began())
    other = RigName("rig-b")
    contents = [*example.contents(tiles=True)]
    receipts = send(store, example, *contents, rig=other)
    assert set(outcomes(receipts)) == {"refused"}
    assert {receipt.reason for receipt in receipts} == {"the scan is another rig's"}
    store.hear(other, News(scan=example.scan, progress=example.progress(3)))
    found = store.scan(example.scan)
    assert (found.rig, found.frames.mapped, found.defects, found.progress) == (RIG, 0, None, None)


def test_a_second_beginning_that_tells_less_is_known(store: Store, example: ExampleScan) -> None:
    later = updated(example.began(), origin="sent", picture=None, recording="/elsewhere.h5")
    assert outcomes(send(store, example, example.began(), later)) == ["stored", "known"]
    assert store.began(example.scan).origin == "replay"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"element": "plate 8"}, "element"),
        ({"model_hash": "sha256:cc"}, "model_hash"),
        ({"element_size_mm": (30.0, 21.0)}, "element_size_mm"),
    ],
    ids=["another element", "another model", "another size"],
)
def test_a_second_beginning_that_differs_is_refused(
    store: Store, example: ExampleScan, change: dict[str, object], field: str
) -> None:
    send(store, example, example.began())
    (receipt,) = send(store, example, updated(example.began(), **change))
    assert receipt.outcome == "refused"
    assert receipt.reason == f"the scan has begun already, and otherwise: {field}"


@pytest.mark.parametrize(
    ("first", "second", "answer", "kept"),
    [
        ("complete", "complete", "known", "complete"),
        ("complete", "died", "known", "complete"),
        ("died", "complete", "stored", "complete"),
        ("complete", "failed", "refused", "complete"),
        ("failed", "complete", "stored", "complete"),
        ("aborted", "incomplete", "stored", "incomplete"),
        ("failed", "died", "known", "failed"),
        ("incomplete", "complete", "refused", "incomplete"),
    ],
)
def test_a_scan_ends_once(
    store: Store, example: ExampleScan, first: str, second: str, answer: str, kept: str
) -> None:
    ends = [updated(example.ended(), outcome=outcome) for outcome in (first, second)]
    receipts = send(store, example, example.began(), *ends)
    assert outcomes(receipts) == ["stored", "stored", answer]
    assert store.scan(example.scan).state == kept


@pytest.mark.parametrize("outcome", ["aborted", "died", "failed"])
def test_a_scan_that_goes_on_is_under_way_again(
    store: Store, example: ExampleScan, outcome: str
) -> None:
    ended = updated(example.ended(), outcome=outcome)
    send(store, example, example.began(), ended)
    assert store.scan(example.scan).state == outcome
    assert outcomes(send(store, example, example.began())) == ["stored"]
    assert store.scan(example.scan).state == "running"
    assert store.scan(example.scan).ended is None


def test_a_frame_that_was_lost_and_is_inspected_later_counts_as_inspected(
    store: Store, example: ExampleScan
) -> None:
    settled = example.settled()[0]
    lost = updated(
        settled,
        outcomes=np.full_like(settled.outcomes, 2),
        reasons=tuple("stopped" for _ in settled.reasons),
    )
    send(store, example, example.began(), lost)
    assert store.scan(example.scan).frames.lost == len(settled.frames)
    send(store, example, settled, lost)
    inspected = int((settled.outcomes == 0).sum())
    assert store.scan(example.scan).frames.mapped == inspected
    assert store.scan(example.scan).frames.lost == len(settled.frames) - inspected


def _settled(
    change: Callable[[FramesSettled], dict[str, object]],
) -> Callable[[ExampleScan], Content]:
    return lambda example: updated(example.settled()[0], **change(example.settled()[0]))


def _began(**change: object) -> Callable[[ExampleScan], Content]:
    return lambda example: updated(example.began(), **change)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            _settled(lambda one: {"frames": one.frames.clip(0, 3)}),
            "frames: must be different",
        ),
        (_settled(lambda one: {"frames": one.frames - 1}), "frames: must be 0 to 2147483647"),
        (_settled(lambda one: {"frames": one.frames + 2**40}), "frames: must be 0 to 2147483647"),
        (_settled(lambda one: {"places_mm": one.places_mm * 1e200}), "within a kilometre"),
        (_settled(lambda one: {"positives": one.positives - 1000}), "must not be negative"),
        (
            _settled(lambda one: {"stamps": one.stamps + np.array([0, 0, 2**50, 0, 0, 0])}),
            "workers must be 0 to 4095",
        ),
        (_settled(lambda one: {"frames": one.frames + 100}), "shapes: must be of these frames"),
    ],
    ids=["twice", "negative", "huge", "far away", "fewer than none", "workers", "others' shapes"],
)
def test_frames_that_cannot_be_are_refused(
    store: Store,
    example: ExampleScan,
    content: Callable[[ExampleScan], Content],
    reason: str,
) -> None:
    send(store, example, example.began())
    (receipt,) = send(store, example, content(example))
    assert receipt.outcome == "refused"
    assert reason in receipt.reason
    assert store.frames(example.scan).outcome.tolist() == [255] * 24


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_began(frames=np.zeros(24, np.int64)), "frames: must be different"),
        (_began(strips=np.full(24, -1, np.int32)), "strips: must not be negative"),
        (_began(places_mm=np.full((24, 2), 1e7)), "within a kilometre"),
    ],
    ids=["frames twice", "strips", "far away"],
)
def test_a_plan_that_cannot_be_is_refused(
    store: Store, example: ExampleScan, content: Callable[[ExampleScan], Content], reason: str
) -> None:
    (receipt,) = send(store, example, content(example))
    assert receipt.outcome == "refused"
    assert reason in receipt.reason
    assert not store.scans().scans


def test_a_frame_nobody_planned_is_kept_all_the_same(store: Store, example: ExampleScan) -> None:
    few = updated(
        example.began(),
        frames=np.array([0, 1]),
        strips=np.zeros(2, np.int32),
        places_mm=np.zeros((2, 2)),
    )
    assert outcomes(send(store, example, few, example.settled()[0])) == ["stored", "stored"]
    frames = store.frames(example.scan)
    assert frames.number.tolist() == list(range(8))
    assert frames.strip.tolist() == [0, 0] + [-1] * 6


def _map(raw: bytes, **others: object) -> MapFinished:
    fields: dict[str, object] = {"map_zlib": zlib.compress(raw), "sha256": sha256(raw).hexdigest()}
    return MapFinished.model_validate(fields | others)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda raw: _map(raw, map_zlib=raw), "map_zlib: is not compressed by zlib"),
        (lambda raw: _map(raw, map_zlib=zlib.compress(raw)[:-9]), "map_zlib: is cut off"),
        (lambda raw: _map(raw, map_zlib=zlib.compress(raw) + b"x"), "something follows"),
        (lambda raw: _map(raw, sha256="0" * 64), "map_zlib: is not what sha256 says"),
        (lambda raw: _map(raw, trace_zlib=b"no trace"), "trace_zlib: is not compressed by zlib"),
        (lambda _: _map(b"{}"), "its format is not"),
        (lambda _: _map(b"[" * 100_000), "is no defect map: not JSON"),
        (lambda raw: _map(raw.replace(b'"version": 3', b'"version": 9')), "version: must be"),
        (
            lambda raw: _map(raw.replace(b'"length_mm"', b'"lenght_mm"', 1)),
            "defects.0.length_mm: is missing",
        ),
        (lambda raw: _map(raw.replace(b"D0002", b"D0001")), "their ids must be different"),
        (lambda raw: _map(raw.replace(b"D0002", b"D99999999999")), "not too long"),
        (lambda raw: _map(raw.replace(b'"width_um": 40.0', b'"width_um": 1e300')), "width_um is"),
        (
            lambda raw: _map(raw.replace(b'"captured": 24', b'"captured": 99999999999999999999')),
            "ledger: has too many frames",
        ),
    ],
    ids=[
        *("not compressed", "cut off", "more behind it", "other bytes", "a bad trace"),
        *("another document", "deeply nested", "a later version", "a misspelt key"),
        *("an id twice", "a huge id", "a number no float32 holds", "a number no integer holds"),
    ],
)
def test_a_map_that_cannot_be_read_is_refused(
    store: Store, example: ExampleScan, make: Callable[[bytes], MapFinished], reason: str
) -> None:
    send(store, example, example.began())
    (receipt,) = send(store, example, make(example.map_json))
    assert receipt.outcome == "refused"
    assert reason in receipt.reason
    assert store.scan(example.scan).defects is None
    assert outcomes(send(store, example, example.map_finished())) == ["stored"]


def test_a_map_that_unpacks_without_end_is_refused(
    store: Store, example: ExampleScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkscan.host.store._maps.LARGEST_FILE", 2**20)
    bomb = bytes(2**24)
    receipts = send(
        store, example, example.began(), _map(bomb), _map(b"{}", run_zlib=zlib.compress(bomb))
    )
    assert [receipt.reason for receipt in receipts] == [
        "",
        "map_zlib: is larger than 512 MiB",
        "run_zlib: is larger than 512 MiB",
    ]


def test_a_scan_has_one_map(store: Store, example: ExampleScan) -> None:
    other = _map(example.map_json.replace(b'"plate 7"', b'"plate 8"'))
    receipts = send(store, example, example.began(), example.map_finished(), other)
    assert outcomes(receipts) == ["stored", "stored", "refused"]
    assert receipts[2].reason == "the scan has another map already"
    assert store.map_bytes(example.scan) == example.map_json


def _packed(kind: str, body: object, version: int = HOST_WIRE_VERSION) -> bytes:
    packed: bytes = msgpack.packb({"v": version, "kind": kind, "body": body})
    return packed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not msgpack"),
        (b"\xc1" * 50, "not msgpack"),
        (_packed("ScanBegan", {}), "ScanBegan.element: Field required"),
        (_packed("ScanBegan", {}, version=9), "wire version 9 is not 1"),
        (_packed("Hello", {"rig": "x", "version": "1"}), "unknown kind of message 'Hello'"),
        (b"\x93" * 10_000, "not msgpack"),
    ],
    ids=["nothing", "noise", "a field is missing", "another version", "no content", "nested"],
)
def test_content_that_is_no_message_is_refused(store: Store, content: bytes, reason: str) -> None:
    (receipt,) = store.receive(RIG, [Parcel(id=new_id(), scan="0" * 32, content=content)])
    assert receipt.outcome == "refused"
    assert reason in receipt.reason


@pytest.mark.expects_errors
def test_what_nobody_thought_of_is_refused_and_logged(
    store: Store, example: ExampleScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: ScanBegan) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("darkscan.host.store._contents.check_plan", breaks)
    (receipt,) = send(store, example, example.began())
    assert (receipt.outcome, receipt.reason) == (
        "refused",
        "this host cannot read it: see its log",
    )


def test_events_tell_what_is_new_and_nothing_of_what_is_known(
    store: Store, example: ExampleScan
) -> None:
    events: list[StoreEvent] = []
    end = store.subscribe(events.append)
    parcels = example.parcels(tiles=True, batch=30)
    for one in parcels:
        store.receive(RIG, [one])
    kinds = [event.kind for event in events]
    tiles = len(list(example.tiles()))
    assert kinds == ["scan", "frames", *["tiles"] * tiles, "map", "ended"]
    assert events[1].data == {
        "revision": 1,
        "frames": {"planned": 24, "mapped": 23, "quarantined": 1, "lost": 0},
    }
    assert events[2].data == {"tiles": [[3, 0, 0, 1]]}
    assert events[-1].data["state"] == "incomplete"
    store.receive(RIG, parcels)
    assert len(events) == len(kinds)
    end()
    send(store, ExampleScan(seed=9), ExampleScan(seed=9).began())
    assert len(events) == len(kinds)


@pytest.mark.expects_errors
def test_a_listener_that_fails_does_not_keep_receipts_from_the_rig(
    store: Store, example: ExampleScan
) -> None:
    def fails(event: StoreEvent) -> None:
        raise RuntimeError("no more")

    heard: list[StoreEvent] = []
    store.subscribe(fails)
    store.subscribe(heard.append)
    assert outcomes(send(store, example, example.began())) == ["stored"]
    assert [event.kind for event in heard] == ["scan"]
