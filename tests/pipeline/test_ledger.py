"""The ledger: its sum holds after every step, whatever is lost, doubled or out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.ledger import Ledger
from tests.builders import frame_meta

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["capture", "lose", "fail", "acknowledge", "set aside"]),
        st.integers(0, 12),
    ),
    max_size=80,
)


@given(steps=STEPS)
def test_the_sum_holds_under_random_orders_duplicates_and_losses(
    steps: list[tuple[str, int]],
) -> None:
    ledger = Ledger(attempts=2)
    entered: set[int] = set()
    freed: list[int] = []
    for step, number in steps:
        frame = FrameId(number)
        if step in {"capture", "lose"}:
            if frame in entered:
                with pytest.raises(ValueError, match="already"):
                    ledger.capture(frame_meta(frame), slot=frame)
                continue
            entered.add(frame)
            if step == "capture":
                ledger.capture(frame_meta(frame), slot=frame)
            else:
                assert ledger.lose(frame_meta(frame), "gone").kind == "lost"
        elif step == "fail":
            ledger.fail(frame, "broken")
        elif step == "set aside":
            if ledger.entry(frame) is not None:
                ledger.set_aside(frame, "enough")
        else:
            entry = ledger.entry(frame)
            how = entry.notice.kind if entry and entry.notice else "mapped"
            slot = ledger.acknowledge(frame, how)
            if slot is not None:
                freed.append(slot)
        sums = ledger.sums
        assert sums.balanced
        assert sums.captured == len(entered)
        assert sums.in_flight == len(ledger.unacknowledged())
    assert len(freed) == len(set(freed))  # no slot is freed twice


def test_a_frame_that_fails_twice_is_quarantined_with_its_reason() -> None:
    ledger = Ledger(attempts=2)
    ledger.capture(frame_meta(3), slot=0)
    assert not ledger.fail(FrameId(3), "worker died on it")
    assert ledger.fail(FrameId(3), "worker died on it")
    assert not ledger.fail(FrameId(3), "late news")
    entry = ledger.entry(FrameId(3))
    assert entry is not None
    assert entry.notice is not None
    assert entry.notice.reason == "failed 2 times: worker died on it"
    assert ledger.sums.in_flight == 1  # until merging has it in the journal
    assert ledger.acknowledge(FrameId(3), "quarantined") == 0
    assert ledger.sums.quarantined == 1


def test_a_second_acknowledgement_changes_nothing() -> None:
    ledger = Ledger(attempts=2)
    ledger.capture(frame_meta(3), slot=5)
    assert ledger.acknowledge(FrameId(3), "mapped") == 5
    before = ledger.sums
    assert ledger.acknowledge(FrameId(3), "mapped") is None
    assert ledger.sums == before


def test_remembers_frames_of_before_a_restart() -> None:
    ledger = Ledger(attempts=2)
    ledger.remember(FrameId(1), "mapped")
    assert ledger.knows(FrameId(1))
    assert ledger.sums.mapped == ledger.sums.captured == 1
    with pytest.raises(ValueError, match="already"):
        ledger.capture(frame_meta(1), slot=0)
