"""The journal: every frame once, whole records only, whatever killed its writer."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darkscan.pipeline.core.frame_results import NotInspected
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.journal import (
    Journal,
    JournalFollower,
    outcome,
    read_journal,
    take_up_journal,
)
from tests.builders import frame_meta, frame_result


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Journal]]:
    journals: list[Journal] = []

    def open_journal(path: Path) -> Journal:
        journals.append(Journal(path))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


def test_counts_each_frame_once(tmp_path: Path, opened: Callable[[Path], Journal]) -> None:
    journal = opened(tmp_path / "journal")
    assert journal.append(frame_result(1))
    assert not journal.append(frame_result(1))
    late = NotInspected(meta=frame_meta(1), kind="quarantined", reason="too late")
    assert not journal.append(late)
    assert outcome(journal.settled[FrameId(1)]) == "mapped"


def test_a_successor_finds_what_was_written(
    tmp_path: Path, opened: Callable[[Path], Journal]
) -> None:
    first = opened(tmp_path / "journal")
    first.append(frame_result(1))
    first.append(NotInspected(meta=frame_meta(2), kind="lost", reason="dropped"))
    second = opened(tmp_path / "journal")  # the first was killed: never closed
    assert {f: outcome(r) for f, r in second.settled.items()} == {1: "mapped", 2: "lost"}


def test_a_run_that_goes_on_keeps_what_was_inspected_and_opens_the_rest(
    tmp_path: Path, opened: Callable[[Path], Journal]
) -> None:
    path = tmp_path / "journal"
    first = opened(path)
    first.append(frame_result(1))
    for frame in (2, 3):
        first.append(NotInspected(meta=frame_meta(frame), kind="lost", reason="stopped"))
    first.close()
    assert take_up_journal(path) == 1
    assert read_journal(path).keys() == {1}
    second = opened(path)
    assert not second.append(frame_result(1))
    assert second.append(frame_result(2))
    assert second.append(NotInspected(meta=frame_meta(3), kind="lost", reason="damaged"))
    expected = {1: "mapped", 2: "mapped", 3: "lost"}
    assert {f: outcome(r) for f, r in read_journal(path).items()} == expected
    followed = JournalFollower(path).new_records()
    assert [(r.meta.frame, outcome(r)) for r in followed] == list(expected.items())


def test_a_journal_in_which_all_was_inspected_is_taken_up_as_it_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(frame_result(1))
    journal.close()
    before = journal.path.read_bytes()
    assert take_up_journal(journal.path) == 1
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("cut", [1, 7, 8, 50])
def test_a_torn_record_is_cut_off_and_writing_goes_on(
    tmp_path: Path, opened: Callable[[Path], Journal], cut: int
) -> None:
    path = tmp_path / "journal"
    journal = opened(path)
    journal.append(frame_result(1))
    whole = path.stat().st_size
    journal.append(frame_result(2))
    journal.close()
    with path.open("r+b") as file:
        file.truncate(whole + cut)
    journal = opened(path)
    assert set(journal.settled) == {1}
    journal.append(frame_result(3))
    assert set(read_journal(path)) == {1, 3}


def test_a_flipped_bit_ends_what_is_believed(
    tmp_path: Path, opened: Callable[[Path], Journal]
) -> None:
    path = tmp_path / "journal"
    journal = opened(path)
    journal.append(frame_result(1))
    first = path.stat().st_size
    journal.append(frame_result(2))
    data = bytearray(path.read_bytes())
    data[first + 40] ^= 1
    path.write_bytes(data)
    assert set(read_journal(path)) == {1}


def test_a_full_disk_is_told_in_one_line_and_leaves_whole_records(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from darkscan.pipeline.transport.journal import Journal\n"
        "from darkscan.pipeline.core.errors import StorageError\n"
        "from tests.builders import frame_result\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "try:\n"
        "    for frame in range(1000): journal.append(frame_result(frame))\n"
        "except StorageError as error: print(error)\n"
    )

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    path = tmp_path / "journal"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        preexec_fn=small_disk,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{path}: cannot be written: File too large"
    frames = sorted(read_journal(path))
    assert frames == list(range(len(frames)))
    assert len(frames) > 3


def test_no_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == {}


def test_a_follower_tells_each_record_once_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    follower = JournalFollower(path)
    assert follower.new_records() == []

    journal = Journal(path)
    journal.append(frame_result(0))
    assert [record.meta.frame for record in follower.new_records()] == [0]
    assert follower.new_records() == []

    journal.append(NotInspected(meta=frame_meta(1), kind="lost", reason="lost"))
    journal.append(frame_result(2))
    assert [record.meta.frame for record in follower.new_records()] == [1, 2]
    journal.close()


def test_a_record_half_written_waits_until_it_is_whole(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    journal = Journal(whole)
    journal.append(frame_result(0))
    first = whole.stat().st_size
    journal.append(frame_result(1))
    journal.close()
    content = whole.read_bytes()

    growing = tmp_path / "growing"
    follower = JournalFollower(growing)
    seen = []
    for end in (3, first - 1, first, first + 5, len(content) - 1, len(content)):
        growing.write_bytes(content[:end])
        seen.append([record.meta.frame for record in follower.new_records()])

    assert seen == [[], [], [0], [], [], [1]]


def test_a_torn_record_that_a_restarted_merging_replaced_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.append(frame_result(0))
    journal.close()
    with path.open("ab") as file:
        file.write(b"\x40\x00\x00\x00torn")
    follower = JournalFollower(path)
    assert [record.meta.frame for record in follower.new_records()] == [0]

    restarted = Journal(path)
    restarted.append(frame_result(1))
    restarted.close()

    assert [record.meta.frame for record in follower.new_records()] == [1]


def test_a_follower_tells_a_few_at_a_time_and_where_each_ends(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    ends = []
    for frame in range(5):
        journal.append(frame_result(frame))
        ends.append(path.stat().st_size)
    journal.close()
    follower = JournalFollower(path)
    told = [follower.new_places(2) for _ in range(4)]
    assert [[record.meta.frame for _, record in some] for some in told] == [[0, 1], [2, 3], [4], []]
    assert [end for some in told for end, _ in some] == ends
