"""The frame ring: leases, stale references, and what a killed process had in hands."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import FrameRef
from darkscan.pipeline.transport.ring import (
    FrameRing,
    Role,
    StaleReferenceError,
    check_space,
    ring_bytes,
)

SHAPE = (64, 32)


@pytest.fixture
def ring(tmp_path: Path) -> FrameRing:
    ring = FrameRing.create(tmp_path / "ring", 3, SHAPE, np.uint16)
    ring.begin_session()
    return ring


def test_pixels_written_by_one_are_seen_by_another(ring: FrameRing) -> None:
    pixels, ref = ring.lease(1, frame=FrameId(7))
    pixels[:] = np.arange(pixels.size, dtype=np.uint16).reshape(SHAPE)
    other = FrameRing.attach(ring.path)
    np.testing.assert_array_equal(other.view(ref), pixels)
    assert not other.view(ref).flags.writeable


def test_a_reference_is_stale_once_its_slot_moved_on(ring: FrameRing) -> None:
    _, first = ring.lease(0, frame=FrameId(1))
    again = ring.resend(0)
    with pytest.raises(StaleReferenceError):
        ring.view(first)
    assert ring.still_holds(first)  # the same pixels, sent once more
    ring.release(0)
    with pytest.raises(StaleReferenceError):
        ring.view(again)
    ring.lease(0, frame=FrameId(1))
    assert not ring.still_holds(again)


def test_a_new_session_frees_all_and_makes_old_references_stale(ring: FrameRing) -> None:
    _, ref = ring.lease(2, frame=FrameId(5))
    ring.begin_session()
    with pytest.raises(StaleReferenceError):
        ring.check(ref)
    ring.lease(2, frame=FrameId(5))


def test_a_reference_beyond_the_ring_is_stale(ring: FrameRing) -> None:
    ref = FrameRef(session=1, frame=0, slot=99, generation=0, attempt=0)
    with pytest.raises(StaleReferenceError):
        ring.view(ref)


def test_slots_do_not_overlap(ring: FrameRing) -> None:
    leases = [ring.lease(slot, frame=FrameId(slot)) for slot in range(3)]
    for value, (pixels, _) in enumerate(leases, start=1):
        pixels[:] = value
    for value, (_, ref) in enumerate(leases, start=1):
        assert (ring.view(ref) == value).all()


def test_knows_what_a_process_had_in_hands(ring: FrameRing) -> None:
    _, ref = ring.lease(0, frame=FrameId(42))
    assert ring.hold(ref, Role.CLASSIFICATION)
    assert ring.held_by(os.getpid()) == [42]
    assert ring.is_held(0)
    ring.let_go(ref, Role.CLASSIFICATION)
    assert ring.held_by(os.getpid()) == []
    assert not ring.is_held(0)


def test_the_first_sending_let_go_leaves_the_second_held(ring: FrameRing) -> None:
    _, first = ring.lease(0, frame=FrameId(42))
    ring.hold(first, Role.CLASSIFICATION)
    again = ring.resend(0)
    assert not ring.waits_for(Role.CLASSIFICATION)
    ring.hold(again, Role.CLASSIFICATION)
    ring.let_go(first, Role.CLASSIFICATION)
    assert ring.is_held(0)
    ring.let_go(again, Role.CLASSIFICATION)
    assert not ring.is_held(0)
    assert ring.waits_for(Role.CLASSIFICATION)


def test_a_sending_that_became_stale_can_be_let_go(ring: FrameRing) -> None:
    _, ref = ring.lease(0, frame=FrameId(42))
    ring.hold(ref, Role.CLASSIFICATION)
    ring.resend(0)
    ring.let_go(ref, Role.CLASSIFICATION)
    assert not ring.is_held(0)


def test_forgets_what_a_dead_process_held(ring: FrameRing) -> None:
    _, ref = ring.lease(0, frame=FrameId(42))
    ring.hold(ref, Role.PREPROCESSING)
    ring.forget(os.getpid())
    assert ring.held_by(os.getpid()) == []


def test_a_slot_leased_anew_is_held_by_nobody(ring: FrameRing) -> None:
    _, ref = ring.lease(0, frame=FrameId(1))
    ring.hold(ref, Role.CLASSIFICATION)
    ring.release(0)
    ring.lease(0, frame=FrameId(2))
    assert not ring.is_held(0)
    with pytest.raises(StaleReferenceError):
        ring.hold(ref, Role.CLASSIFICATION)


def test_only_one_living_process_holds_a_frame(ring: FrameRing) -> None:
    _, ref = ring.lease(0, frame=FrameId(42))
    code = (
        "import sys; from pathlib import Path\n"
        "from darkscan.pipeline.transport.ring import FrameRing, Role\n"
        "from darkscan.pipeline.transport.messages import FrameRef\n"
        "ring = FrameRing.attach(Path(sys.argv[1]))\n"
        "ref = FrameRef.model_validate_json(sys.argv[2])\n"
        "print(ring.hold(ref, Role.CLASSIFICATION), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ring.path), ref.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        assert not ring.hold(ref, Role.CLASSIFICATION)
        assert ring.hold(ref, Role.PREPROCESSING)
        other.kill()
    assert ring.hold(ref, Role.CLASSIFICATION)


def test_refuses_what_is_no_ring(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_bytes(b"x" * 8192)
    with pytest.raises(InputError, match="no frame ring"):
        FrameRing.attach(path)
    with pytest.raises(InputError, match="no frame ring"):
        FrameRing.attach(tmp_path / "nothing")


def test_refuses_a_ring_that_shared_memory_cannot_hold() -> None:
    slots = 10_000_000
    size = ring_bytes(slots, (2048, 2048), 1)
    with pytest.raises(InputError, match=r"10000000 frames: \d+ MiB are needed, \d+ MiB are free"):
        check_space(Path("/dev/shm"), size, slots)  # noqa: S108


class Leases(RuleBasedStateMachine):
    """Random leases, resends and releases: what is handed out is never handed out twice."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.ring = FrameRing.create(Path(self.folder.name) / "ring", 4, (4, 4), np.uint8)
        self.ring.begin_session()
        self.valid: dict[int, FrameRef] = {}
        self.stale: list[FrameRef] = []
        self.next_frame = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(slot=st.integers(0, 3))
    def lease(self, slot: int) -> None:
        if slot in self.valid:
            with pytest.raises(ValueError, match="taken"):
                self.ring.lease(slot, FrameId(self.next_frame))
            return
        pixels, ref = self.ring.lease(slot, FrameId(self.next_frame))
        pixels[:] = self.next_frame % 256
        self.valid[slot] = ref
        self.next_frame += 1

    @rule(slot=st.integers(0, 3))
    def release(self, slot: int) -> None:
        if slot not in self.valid:
            with pytest.raises(ValueError, match="free"):
                self.ring.release(slot)
            return
        self.ring.release(slot)
        self.stale.append(self.valid.pop(slot))

    @precondition(lambda self: self.valid)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.valid)))
        self.stale.append(self.valid[slot])
        self.valid[slot] = self.ring.resend(slot)

    @rule()
    def restart(self) -> None:
        self.ring.begin_session()
        self.stale += self.valid.values()
        self.valid.clear()

    @invariant()
    def valid_references_show_their_frame(self) -> None:
        for ref in self.valid.values():
            assert (self.ring.view(ref) == ref.frame % 256).all()

    @invariant()
    def stale_references_are_refused(self) -> None:
        for ref in self.stale:
            with pytest.raises(StaleReferenceError):
                self.ring.view(ref)


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=50, stateful_step_count=30)
