"""What waits on the rig: kept, in order, bounded, and counted when it is not kept."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.host_link.messages import (
    Parcel,
    Receipt,
    Tile,
    decode_content,
)
from darkscan.pipeline.host_link.outbox import Outbox
from tests.host_link.contents import OTHER_SCAN, SCAN, began, ended, settled, tile

HOST = "tcp://host:5580"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite"


@pytest.fixture
def outbox(file: Path) -> Iterator[Outbox]:
    with Outbox(file, HOST) as opened:
        yield opened


def waiting(outbox: Outbox) -> list[Parcel]:
    return outbox.waiting(limit=1000, limit_bytes=2**30)


def tiles(outbox: Outbox) -> list[Tile]:
    contents = [decode_content(parcel.content) for parcel in waiting(outbox)]
    return [content for content in contents if isinstance(content, Tile)]


def settle(outbox: Outbox, parcels: list[Parcel]) -> None:
    outbox.settle([Receipt(id=parcel.id, outcome="stored") for parcel in parcels])


def test_what_was_put_waits_in_its_order_for_its_host_alone(outbox: Outbox, file: Path) -> None:
    ids = [outbox.put(SCAN, began()), outbox.put(OTHER_SCAN, began()), outbox.put(SCAN, ended())]
    with Outbox(file, "tcp://other:1") as other:
        assert waiting(other) == []
        assert other.other_destinations() == [HOST]
        other.put(SCAN, began())
        assert len(waiting(other)) == 1
    assert [parcel.id for parcel in waiting(outbox)] == ids
    assert [parcel.scan for parcel in waiting(outbox)] == [SCAN, OTHER_SCAN, SCAN]
    assert outbox.counts().parcels == 3
    assert outbox.counts(SCAN).parcels == 2


def test_tiles_come_last_those_of_the_latest_scan_first_and_coarse_before_fine(
    outbox: Outbox,
) -> None:
    outbox.put_tiles(SCAN, [tile(0), tile(2)])
    outbox.put_tiles(OTHER_SCAN, [tile(0, 1), tile(0, 0), tile(1)])
    outbox.put(SCAN, ended())
    scans = [parcel.scan for parcel in waiting(outbox)]
    assert scans == [SCAN, OTHER_SCAN, OTHER_SCAN, OTHER_SCAN, SCAN, SCAN]
    assert [(t.level, t.x) for t in tiles(outbox)] == [(1, 0), (0, 1), (0, 0), (2, 0), (0, 0)]


def test_a_later_tile_takes_the_place_of_one_that_waits_and_outlives_its_receipt(
    outbox: Outbox,
) -> None:
    outbox.put_tile(SCAN, tile(1, revision=1))
    under_way = waiting(outbox)
    outbox.put_tile(SCAN, tile(1, revision=2, size=500))
    settle(outbox, under_way)
    assert [t.revision for t in tiles(outbox)] == [2]
    counts = outbox.counts()
    assert (counts.tiles, counts.tiles_dropped) == (1, 0)
    assert counts.bytes == sum(len(parcel.content) for parcel in waiting(outbox))


def test_what_is_sent_at_once_is_bounded_and_leaves_out_what_is_under_way(outbox: Outbox) -> None:
    outbox.put(SCAN, began())
    large = outbox.put(SCAN, settled(1, windows=50_000))
    outbox.put(SCAN, ended())
    first, second, third = waiting(outbox)
    assert second.id == large
    assert outbox.waiting(limit=2, limit_bytes=2**30) == [first, second]
    assert outbox.waiting(limit=9, limit_bytes=20_000) == [first]  # the order is kept
    assert outbox.waiting(limit=9, limit_bytes=20_000, without=[first.id]) == []
    settle(outbox, [first])
    assert outbox.waiting(limit=9, limit_bytes=20_000) == [second]  # alone, as large as it is
    assert outbox.waiting(limit=9, limit_bytes=2**30, without=[second.id]) == [third]


def test_a_full_outbox_drops_fine_tiles_of_old_scans_first_and_never_a_durable_parcel(
    file: Path,
) -> None:
    with Outbox(file, HOST, limit_bytes=40_000) as outbox:
        ids = [outbox.put(SCAN, settled(number)) for number in range(5)]
        for scan in (SCAN, OTHER_SCAN):
            assert outbox.put_tiles(scan, [tile(level, x) for level in (2, 1) for x in (0, 1)]) == 4
        assert all(outbox.put_tile(OTHER_SCAN, tile(0, x)) for x in range(60))
        assert outbox.counts(OTHER_SCAN).tiles_dropped > 0
        assert outbox.counts(OTHER_SCAN).tiles + outbox.counts(OTHER_SCAN).tiles_dropped == 64
        assert outbox.counts(SCAN).tiles_dropped == 0
        while outbox.counts(OTHER_SCAN).tiles > 4:
            ids.append(outbox.put(SCAN, settled()))
        ids.append(outbox.put(SCAN, settled(0, windows=2500)))
        assert outbox.counts(SCAN).tiles_dropped > 0
        assert {t.level for t in tiles(outbox)} == {1, 2}
        while outbox.counts().tiles:
            last = tiles(outbox)
            ids.append(outbox.put(SCAN, settled()))
        assert {t.level for t in last} == {2}  # coarse ones were kept longest
        ids += [outbox.put(SCAN, settled()) for _ in range(20)]
        assert outbox.counts().bytes > 40_000
        assert not outbox.put_tile(SCAN, tile(3))
        assert [parcel.id for parcel in waiting(outbox)] == ids


def test_what_the_host_refused_is_set_aside_and_can_be_tried_again(outbox: Outbox) -> None:
    refused, kept = outbox.put(SCAN, began()), outbox.put(SCAN, ended())
    outbox.put_tile(SCAN, tile())
    parcels = waiting(outbox)
    outbox.settle(
        [
            Receipt(id=parcel.id, outcome="refused", reason="no")
            for parcel in (parcels[0], parcels[2])
        ]
    )
    assert [parcel.id for parcel in waiting(outbox)] == [kept]
    counts = outbox.counts(SCAN)
    assert (counts.parcels, counts.refused, counts.tiles_dropped) == (1, 1, 1)
    assert outbox.retry_refused() == 1
    assert [parcel.id for parcel in waiting(outbox)] == [refused, kept]
    assert outbox.counts().refused == 0


def test_states_are_kept_with_what_they_belong_to_and_forgotten_when_told(
    outbox: Outbox, file: Path
) -> None:
    outbox.put(SCAN, began(), states={"a": b"1", "b": b"2"})
    outbox.put_tiles(SCAN, [tile()], states={"b": b"3"})
    outbox.save_state(OTHER_SCAN, "a", b"4")
    with Outbox(file, HOST) as again:
        assert again.load_state(SCAN) == {"a": b"1", "b": b"3"}
        again.clear_state(SCAN)
    assert outbox.load_state(SCAN) == {}
    assert outbox.load_state(OTHER_SCAN) == {"a": b"4"}


def test_scans_that_began_and_did_not_end_are_known(outbox: Outbox) -> None:
    outbox.put(SCAN, began())
    outbox.put(OTHER_SCAN, began())
    settle(outbox, waiting(outbox))
    outbox.put(OTHER_SCAN, ended())
    assert [begun.scan for begun in outbox.begun_not_ended()] == [SCAN]
    outbox.put(OTHER_SCAN, began())  # it ended unfinished, and is gone on with
    assert {begun.scan for begun in outbox.begun_not_ended()} == {SCAN, OTHER_SCAN}


def test_room_that_nothing_needs_any_more_goes_back_to_the_disk(file: Path) -> None:
    with Outbox(file, HOST) as outbox:
        outbox.put_tiles(SCAN, [tile(0, x) for x in range(40)])
        for number in range(20):
            outbox.put(SCAN, settled(number, windows=10**6))
        settle(outbox, waiting(outbox))
        assert not list(file.with_name(f"{file.name}-tiles").iterdir())
    assert file.stat().st_size < 10**6


def no_database(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def another_programs(file: Path) -> None:
    sqlite3.connect(file).executescript("CREATE TABLE t (a)")


def of_a_later_darkscan(file: Path) -> None:
    Outbox(file, HOST).close()
    sqlite3.connect(file).executescript("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (no_database, "is no outbox"),
        (another_programs, "another program"),
        (of_a_later_darkscan, "is of a later darkscan"),
        (Path.mkdir, "unable to open"),
    ],
)
def test_a_file_that_is_no_outbox_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    file = tmp_path / "outbox.sqlite"
    make(file)
    with pytest.raises((InputError, StorageError), match=told) as failed:
        Outbox(file, HOST)
    assert str(failed.value).startswith(str(file))


# A disk of 8 MB, which this process alone sees.
ON_A_SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec")
MOUNT = 'mount -t tmpfs -o size=8m none "$2"; exec "$0" -c "$1" "$2/outbox.sqlite"'

FILL = """if True:
    import sys
    from pathlib import Path
    from darkscan.pipeline.core.errors import StorageError
    from darkscan.pipeline.host_link.messages import FramesSettled, decode_content
    from darkscan.pipeline.host_link.outbox import Outbox
    from tests.host_link.contents import SCAN, settled, tile

    outbox = Outbox(Path(sys.argv[1]), "tcp://host:5580")
    while not outbox.counts().tiles_dropped:
        outbox.put_tiles(SCAN, [tile(0, outbox.counts().tiles, size=100_000)])
    assert outbox.put_tile(SCAN, tile(2, size=100_000)), "a coarse one takes a fine one's room"
    put = 0
    try:
        while True:
            outbox.put(SCAN, settled(put, windows=60_000))
            put += 1
    except StorageError as error:
        print(error)
    assert put * 60_000 > 4 * 2**20, put
    counts = outbox.counts()
    assert (counts.tiles, counts.parcels) == (0, put), counts
    assert not outbox.put_tile(SCAN, tile(3, size=300_000))
    assert outbox.counts().tiles_dropped == counts.tiles_dropped + 1
    outbox.close()

    outbox = Outbox(Path(sys.argv[1]), "tcp://host:5580")
    kept = outbox.waiting(limit=10_000, limit_bytes=2**30)
    assert [decode_content(parcel.content).frames[0] for parcel in kept] == list(range(put))
"""


def test_on_a_full_disk_parcels_take_the_room_of_tiles_and_what_was_put_stays(
    tmp_path: Path,
) -> None:
    if subprocess.run([*ON_A_SMALL_DISK, "mount -t tmpfs none /tmp"], check=False).returncode:
        pytest.skip("this user may mount no disk of its own")
    done = subprocess.run(
        [*ON_A_SMALL_DISK, MOUNT, sys.executable, FILL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = f"{tmp_path}/outbox.sqlite: cannot be written: "
    assert done.stdout.startswith(told)
    assert done.stdout.count("\n") == 1


def test_contents_that_a_power_cut_took_are_counted_as_dropped(outbox: Outbox, file: Path) -> None:
    outbox.put_tiles(SCAN, [tile(0, x) for x in range(3)])
    gone, cut, whole = (parcel.id.hex() for parcel in waiting(outbox))
    folder = file.with_name(f"{file.name}-tiles")
    (folder / gone).unlink()
    (folder / cut).write_bytes(b"")
    assert [parcel.id.hex() for parcel in waiting(outbox)] == [whole]
    assert (outbox.counts().tiles, outbox.counts().tiles_dropped) == (1, 2)


def test_contents_that_a_killed_process_left_are_swept(outbox: Outbox, file: Path) -> None:
    outbox.put_tile(SCAN, tile())
    folder = file.with_name(f"{file.name}-tiles")
    (known,) = folder.iterdir()
    for name, age_s in ((f"{1:032x}", 7200), (f"{2:032x}", 0), ("remark.txt", 7200)):
        (folder / name).write_bytes(b"left")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    with Outbox(file, HOST):
        names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([known.name, f"{2:032x}", "remark.txt"])
