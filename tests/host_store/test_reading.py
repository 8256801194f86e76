"""What was received is listed and shown as it was sent."""

import json
import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.host.store import NotKept, ScanQuery, Store, pack, unpack
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.core.map_reading import parse_map
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.host_link.messages import MapFinished, News
from tests.conftest import REPOSITORY
from tests.host_examples import AWKWARD_NAME, ExampleScan
from tests.host_store.conftest import RIG, send


@pytest.fixture
def kept(store: Store, example: ExampleScan) -> Store:
    """A store with the whole example."""
    store.receive(RIG, example.parcels(tiles=True))
    return store


def test_columns_come_back_as_they_were_packed() -> None:
    columns: dict[str, npt.NDArray[Any]] = {
        "a": np.array([1, 2, 3], np.uint8),
        "b": np.array([], np.float32),
        "c": np.array([-1.5, np.nan], np.float32),
        "d": np.arange(5, dtype=np.int32),
    }
    packed = pack(7, columns, words=["", "weiß nicht"])
    header, found = unpack(packed)
    assert header["revision"] == 7
    assert header["words"] == ["", "weiß nicht"]
    assert header["columns"][2] == {"name": "c", "dtype": "float32", "length": 2}
    assert found.keys() == columns.keys()
    for name, column in columns.items():
        np.testing.assert_array_equal(found[name], column)
    assert (4 + int.from_bytes(packed[:4], "little")) % 8 == 0
    assert len(packed) % 8 == 0


def test_the_map_comes_back_byte_for_byte(kept: Store, example: ExampleScan) -> None:
    content = example.map_finished()
    assert kept.map_bytes(example.scan) == example.map_json
    assert kept.run_bytes(example.scan) == b'{"run": "example"}\n'
    assert kept.trace_bytes(example.scan).startswith(b'{"displayTimeUnit"')
    assert kept.defects(example.scan).sha256 == content.sha256


def test_each_defect_comes_back_as_the_map_has_it(kept: Store, example: ExampleScan) -> None:
    for defect in example.defect_map.defects:
        assert kept.defect(example.scan, defect.id) == defect


def test_the_columns_of_defects_are_what_the_map_says(kept: Store, example: ExampleScan) -> None:
    columns = kept.defects(example.scan).columns
    defects = example.defect_map.defects
    assert columns["number"].tolist() == list(range(1, 101))
    assert [DEFECT_KINDS[kind] for kind in columns["kind"]] == [one.kind for one in defects]
    ends = np.cumsum(columns["counts"])
    places = np.split(columns["points"].reshape(-1, 2), ends[:-1])
    for number, defect in enumerate(defects):
        line = np.array(defect.centreline or defect.outline, np.float32)
        np.testing.assert_array_equal(places[number], line)
        box = columns["box"][4 * number : 4 * number + 4]
        np.testing.assert_array_equal(box, np.array(defect.box_mm, np.float32))
        assert columns["length_mm"][number] == np.float32(defect.length_mm)
        assert (columns["x_mm"][number], columns["y_mm"][number]) == tuple(
            np.array(defect.centroid_mm, np.float32)
        )
        area = -1 if defect.area is None else int(defect.area[1:])
        assert columns["area"][number] == area
    unknown = [one.probability is None for one in defects]
    assert np.isnan(columns["probability"]).tolist() == unknown
    assert any(unknown)


def test_areas_come_back_as_the_map_has_them(kept: Store, example: ExampleScan) -> None:
    document = json.loads(example.map_json)
    assert json.loads(kept.areas(example.scan)) == document["areas"]


def test_details_are_of_the_beginning_the_map_and_the_end(
    kept: Store, example: ExampleScan
) -> None:
    found = kept.scan(example.scan)
    document, began = example.defect_map, example.began()
    assert found.size_mm == began.element_size_mm
    assert found.recipe_hash == began.recipe_hash
    assert found.totals == document.totals
    assert found.coverage is not None
    assert found.coverage.inspected_fraction == document.coverage.inspected_fraction
    (blind,) = found.not_inspected
    assert blind.rings == document.coverage.not_inspected[0].contour
    assert (found.state, found.ended) == ("incomplete", example.ended().ended)
    assert found.picture is not None
    assert found.picture.tiles == len(list(example.tiles()))
    assert found.length_mm == document.totals.scratch.length_mm
    assert kept.began(example.scan).frames.tolist() == began.frames.tolist()


def test_frames_are_shown_as_planned_then_as_settled(store: Store, example: ExampleScan) -> None:
    send(store, example, example.began())
    planned = store.frames(example.scan)
    assert planned.outcome.tolist() == [255] * 24
    np.testing.assert_allclose(planned.x_mm, example.places_mm[:, 0], rtol=1e-6)
    batches = example.settled(batch=8)
    for batch in batches:
        send(store, example, batch)
    found = store.frames(example.scan)
    assert found.revision == 3
    assert found.outcome.tolist() == [0] * 23 + [1]
    assert [found.reasons[place] for place in found.reason] == [""] * 23 + [
        "failed twice: no light"
    ]
    measured = np.concatenate([batch.places_mm for batch in batches])
    np.testing.assert_array_equal(found.y_mm, measured[:, 1].astype(np.float32))


def test_only_what_is_new_is_given_after_a_revision(store: Store, example: ExampleScan) -> None:
    batches = example.settled(batch=8)
    send(store, example, example.began(), *batches[:2])
    before = store.frames(example.scan).revision
    send(store, example, batches[2])
    new = store.frames(example.scan, after=before)
    assert new.number.tolist() == list(range(16, 24))
    shapes = store.shapes(example.scan, after=before)
    assert set(shapes.frame.tolist()) <= set(range(16, 24))
    np.testing.assert_array_equal(shapes.points, batches[2].shapes.points_mm.reshape(-1))
    everything = store.shapes(example.scan)
    assert len(everything.counts) == sum(len(batch.shapes.counts) for batch in batches)
    nothing = store.frames(example.scan, after=new.revision)
    assert (len(nothing.number), nothing.revision) == (0, new.revision)


def test_scores_of_a_frame_come_back(kept: Store, example: ExampleScan) -> None:
    batch = example.settled(batch=24)[0]
    for frame in (0, 13):
        assert len(kept.scores(example.scan, frame)) == 225
    assert (kept.scores(example.scan, 13) > 200).sum() == batch.positives[13]
    with pytest.raises(NotKept, match="no scores of frame 23"):
        kept.scores(example.scan, 23)


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda store, scan: store.map_bytes(scan), "the map has not arrived"),
        (lambda store, scan: store.defects(scan), "the map has not arrived"),
        (lambda store, scan: store.areas(scan), "the map has not arrived"),
        (lambda store, scan: store.trace_bytes(scan), "the map has not arrived"),
        (lambda store, scan: store.defect(scan, "D0001"), "the map has not arrived"),
        (lambda store, _: store.scan("0" * 32), "there is no scan '0000"),
        (lambda store, _: store.scan("../../etc/passwd"), "there is no scan"),
        (lambda store, _: store.scan("\ud800"), "there is no scan"),
        (lambda store, _: store.tile("../../etc/passwd", 0, 0, 0), "there is no scan"),
        (lambda store, _: store.reviews("' OR 1=1 --"), "there is no scan"),
    ],
    ids=[
        *("map", "defects", "areas", "trace", "a defect", "an unknown scan"),
        *("a path", "no text", "a tile of a path", "SQL"),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(
    store: Store, example: ExampleScan, ask: Callable[[Store, str], object], problem: str
) -> None:
    send(store, example, example.began())
    with pytest.raises(NotKept, match=problem):
        ask(store, example.scan)


@pytest.mark.parametrize(
    "name", ["D0101", "D0000", "D\u0660\u0660\u0660\u0661", "x", "", "D" + "9" * 5000]
)
def test_a_defect_that_the_map_does_not_have_is_not_found(
    kept: Store, example: ExampleScan, name: str
) -> None:
    with pytest.raises(NotKept, match="the map has no defect"):
        kept.defect(example.scan, name)


def test_a_map_without_defects_is_kept(store: Store) -> None:
    clean = ExampleScan(seed=4, size_mm=(30, 20), grid=(2, 2), defects=0, quarantined=0)
    store.receive(RIG, clean.parcels())
    found = store.scan(clean.scan)
    assert (found.state, found.defects and found.defects.scratch, found.length_mm) == (
        "complete",
        0,
        0.0,
    )
    assert all(len(column) == 0 for column in store.defects(clean.scan).columns.values())
    assert store.areas(clean.scan) == b"[]"


def test_a_map_of_version_2_is_shown_as_one_of_today(store: Store, example: ExampleScan) -> None:
    raw = (REPOSITORY / "tests" / "pipeline" / "defect-map-version-2.json").read_bytes()
    present = parse_map(raw, file="a map")
    content = MapFinished(map_zlib=zlib.compress(raw), sha256=sha256(raw).hexdigest())
    assert [one.outcome for one in send(store, example, example.began(), content)] == ["stored"] * 2
    assert store.map_bytes(example.scan) == raw
    assert store.scan(example.scan).totals == present.totals
    for defect in present.defects:
        assert store.defect(example.scan, defect.id) == defect


# The list


def _many(store: Store, count: int) -> list[ExampleScan]:
    scans = [
        ExampleScan(
            seed=number,
            element=AWKWARD_NAME if number % 3 == 0 else f"plate {number}_%",
            began_at=f"2026-03-{1 + number // 2:02}T08:00:00Z",
            size_mm=(30.0, 20.0),
            grid=(1, 1),
        )
        for number in range(count)
    ]
    for number, one in enumerate(scans):
        send(store, one, one.began())
        if number % 2:
            send(store, one, one.ended("failed", "no light"))
    return scans


def test_the_list_goes_page_by_page_from_the_newest(store: Store) -> None:
    scans = _many(store, 11)
    found, before, pages = [], "", 0
    while True:
        page = store.scans(ScanQuery(limit=3, before=before))
        found += page.scans
        pages += 1
        if page.next is None:
            break
        before = page.next
    assert pages == 4
    assert [one.id for one in found] == sorted(
        (one.scan for one in scans),
        key=lambda name: next((s.began_at, name) for s in scans if s.scan == name),
        reverse=True,
    )


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (ScanQuery(), 11),
        (ScanQuery(element="plate 1"), 2),
        (ScanQuery(element="PLATE 1"), 2),
        (ScanQuery(element="e%_"), 0),
        (ScanQuery(element="_%"), 7),
        (ScanQuery(element="<script>alert(1)</script> 光学"), 4),
        (ScanQuery(element="' OR 1=1 --"), 0),
        (ScanQuery(element="\ud800"), 0),
        (ScanQuery(rig=RIG), 11),
        (ScanQuery(rig=None, state="failed"), 5),
        (ScanQuery(state="running"), 6),
        (ScanQuery(state="silent"), 0),
        (ScanQuery(side="front"), 11),
        (ScanQuery(side="fr%"), 0),
        (ScanQuery(side="back", state="failed"), 0),
    ],
    ids=[
        *("all", "part of a name", "in capitals", "signs of LIKE", "signs of LIKE in names"),
        *("an awkward name", "SQL", "no text", "a rig", "failed", "running", "silent"),
        *("a side", "a part of a side", "another side, failed"),
    ],
)
def test_the_list_shows_what_is_asked_for(store: Store, query: ScanQuery, count: int) -> None:
    _many(store, 11)
    assert len(store.scans(query).scans) == count


def test_a_running_scan_is_silent_after_a_while(
    store: Store, example: ExampleScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr("darkscan.host.store._clock.now", lambda: clock[0])
    send(store, example, example.began())
    assert store.scan(example.scan).state == "running"
    clock[0] += 14
    assert store.scan(example.scan).state == "running"
    clock[0] += 2
    assert store.scan(example.scan).state == "silent"
    store.hear(RIG, News(scan=example.scan, progress=example.progress(5)))
    found = store.scan(example.scan)
    assert found.state == "running"
    assert found.progress is not None
    assert found.progress.sums == example.progress(5).sums
    clock[0] += 20
    assert store.scans(ScanQuery(state="silent")).scans[0].id == example.scan
    late = store.scan(example.scan).progress
    assert late is not None
    assert late.heard_s_ago == 20


def test_what_a_rig_last_said_ends_with_its_scan(store: Store, example: ExampleScan) -> None:
    send(store, example, example.began())
    progress = updated(example.progress(5), tiles_dropped=17)
    store.hear(RIG, News(scan=example.scan, progress=progress))
    send(store, example, example.ended())
    store.hear(RIG, News(scan=example.scan, progress=progress))
    found = store.scan(example.scan)
    assert (found.progress, found.tiles_dropped) == (None, 17)


def test_news_of_unknown_scans_are_ignored(store: Store, example: ExampleScan) -> None:
    store.hear(RIG, News(scan=example.scan, progress=example.progress(5)))
    assert store.scans().scans == []
