"""What rules let go is removed and said; never of running scans, and never a review."""

import pytest

from darkscan.host.store import NewReview, NotKept, RetentionRules, Store
from tests.host_examples import ExampleScan
from tests.host_store.conftest import RIG, outcomes, send

DAY = 86_400
START = 1_800_000_000.0


class Clock:
    """The host's clock, in days."""

    def __init__(self) -> None:
        self.day = 0.0

    def now(self) -> float:
        return START + self.day * DAY


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("darkscan.host.store._clock.now", clock.now)
    return clock


def _scan(seed: int) -> ExampleScan:
    return ExampleScan(seed=seed, size_mm=(30.0, 20.0), grid=(2, 1), defects=10)


@pytest.fixture
def scans(store: Store, clock: Clock) -> list[ExampleScan]:
    """Four scans: the first three ended on days 0, 1 and 2, the last one runs."""
    scans = [_scan(seed) for seed in range(4)]
    for day, one in enumerate(scans):
        clock.day = day
        contents = [*one.contents(tiles=True)]
        send(store, one, *(contents if day < 3 else contents[:-1]))
    store.review(scans[0].scan, NewReview(defect="D0001", verdict="confirmed", name="Ada"))
    return scans


def test_without_rules_all_is_kept(store: Store, scans: list[ExampleScan], clock: Clock) -> None:
    clock.day = 10_000
    assert store.tidy(RetentionRules()) == []
    assert store.tile(scans[0].scan, 1, 0, 0) is not None


def test_old_tiles_are_removed(store: Store, scans: list[ExampleScan], clock: Clock) -> None:
    clock.day = 11.5
    sizes = store.sizes().tiles
    removed = store.tidy(RetentionRules(keep_tiles_days=10))
    assert [(one.scan, one.what, one.reason) for one in removed] == [
        (scan.scan, "tiles", "ended more than 10 days ago") for scan in scans[:2]
    ]
    assert sizes - store.sizes().tiles >= sum(one.size_bytes for one in removed) > 0
    assert [store.tile(scan.scan, 1, 0, 0) is None for scan in scans] == [True, True, False, False]
    found = store.scan(scans[0].scan)
    assert found.removed.tiles == "2027-01-26T20:00:00.000Z"
    assert found.picture is not None
    assert found.picture.tiles == 0
    assert store.map_bytes(scans[0].scan) == scans[0].map_json
    assert store.tidy(RetentionRules(keep_tiles_days=10)) == []
    (late,) = send(store, scans[0], scans[0].tile(1, 0, 0, revision=9))
    assert late.reason == "the scan's tiles were removed by this host's rule"


def test_maps_are_removed_but_not_what_the_list_shows_nor_reviews(
    store: Store, scans: list[ExampleScan], clock: Clock
) -> None:
    clock.day = 10.5
    before = store.scans().scans
    (removed,) = store.tidy(RetentionRules(keep_maps_days=10))
    assert (removed.scan, removed.what) == (scans[0].scan, "map")
    assert removed.size_bytes > len(scans[0].map_finished().map_zlib)
    with pytest.raises(NotKept, match="the map was removed by a rule on 2027-01-25T"):
        store.map_bytes(scans[0].scan)
    with pytest.raises(NotKept, match="the map was removed"):
        store.defect(scans[0].scan, "D0001")
    assert [one.model_copy(update={"state": ""}) for one in store.scans().scans] == [
        one.model_copy(update={"state": ""}) for one in before
    ]
    assert len(store.reviews(scans[0].scan)) == 1
    assert store.check_reviews() is None
    assert store.frames(scans[0].scan).outcome.tolist() == [0, 1]
    assert len(store.shapes(scans[0].scan).counts) == 0
    assert store.tile(scans[0].scan, 1, 0, 0) is not None


def test_a_removed_map_can_be_sent_again(
    store: Store, scans: list[ExampleScan], clock: Clock
) -> None:
    clock.day = 10.5
    store.tidy(RetentionRules(keep_maps_days=10))
    assert outcomes(send(store, scans[0], scans[0].map_finished())) == ["stored"]
    assert store.scan(scans[0].scan).removed.map is None
    assert store.map_bytes(scans[0].scan) == scans[0].map_json


def test_the_oldest_tiles_go_first_when_there_are_too_many(
    store: Store, scans: list[ExampleScan], clock: Clock
) -> None:
    limit = store.sizes().tiles - 1
    (removed,) = store.tidy(RetentionRules(tiles_limit_bytes=limit))
    assert (removed.scan, removed.what) == (scans[0].scan, "tiles")
    assert removed.reason.startswith("all tiles together were more than 0.00")
    assert store.sizes().tiles <= limit
    removed_too = store.tidy(RetentionRules(tiles_limit_bytes=1))
    assert [one.scan for one in removed_too] == [scans[1].scan, scans[2].scan]
    assert store.tile(scans[3].scan, 1, 0, 0) is not None


def test_a_running_scan_is_never_touched_however_old(
    store: Store, scans: list[ExampleScan], clock: Clock
) -> None:
    clock.day = 10_000
    rules = RetentionRules(keep_tiles_days=1, keep_maps_days=1, tiles_limit_bytes=1)
    assert scans[3].scan not in {one.scan for one in store.tidy(rules)}
    assert store.map_bytes(scans[3].scan) == scans[3].map_json


def test_the_database_gives_its_room_back(store: Store, clock: Clock) -> None:
    large = ExampleScan(seed=9, size_mm=(30.0, 20.0), grid=(4, 4), defects=2000)
    store.receive(RIG, large.parcels())
    small = _scan(10)
    store.receive(RIG, small.parcels())
    store.close()
    path = store.folder / "store.sqlite"
    before = path.stat().st_size
    with Store.open(store.folder) as again:
        clock.day = 2
        again.tidy(RetentionRules(keep_maps_days=1))
    assert path.stat().st_size < before / 2
