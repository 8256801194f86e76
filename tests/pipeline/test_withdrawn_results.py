"""Results that do not count any more: a journal forgets them, across restarts, and says why."""

from pathlib import Path

from darkscan.pipeline.core.frame_results import NotInspected
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.journal import Journal, JournalFollower, read_journal
from tests.builders import frame_meta


def settled(frame: int, reason: str = "lost") -> NotInspected:
    return NotInspected(meta=frame_meta(frame), kind="lost", reason=reason)


def test_withdrawn_results_do_not_count_and_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for frame in range(4):
        journal.append(settled(frame))
    journal.withdraw([FrameId(1), FrameId(2)], "worker x answered falsely")
    assert sorted(journal.settled) == [0, 3]
    assert journal.append(settled(2, "again"))
    journal.close()
    assert sorted(read_journal(path)) == [0, 2, 3]
    again = Journal(path)
    assert sorted(again.settled) == [0, 2, 3]
    assert again.withdrawals == ["worker x answered falsely"]
    again.close()
    assert [record.meta.frame for record in JournalFollower(path).new_records()] == [0, 1, 2, 3, 2]
