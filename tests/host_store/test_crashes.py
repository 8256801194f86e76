"""Nothing that was acknowledged is lost: by kill -9, or by a disk that is full."""

import multiprocessing
import resource
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from darkscan.host.store import Store
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.host_link.messages import (
    Content,
    FramesSettled,
    MapFinished,
    Parcel,
    ScanBegan,
    ScanEnded,
    Tile,
    decode_content,
)
from tests.conftest import REPOSITORY
from tests.host_examples import ExampleScan, parcel
from tests.host_store.conftest import RIG, outcomes
from tests.host_store.receiver import example, parcels

KILLS = 10
_ROOM = 4096  # bytes of a file: a page of a database


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    seed, folder = 5, tmp_path / "store"
    sent = parcels(seed)
    rng = np.random.default_rng(seed)
    answered: dict[int, str] = {}
    for _ in range(KILLS):
        first = max(len(answered) - 3, 0)  # the last receipts are lost on their way, too
        until = len(answered) + int(rng.integers(1, len(sent) // KILLS + 1))
        got = _receive_and_kill(folder, seed, first, until, rng.uniform(0, 0.01))
        assert set(got.values()) <= {"stored", "known"}
        answered |= got
        with Store.open(folder) as store:
            missing = [number for number in answered if not _is_kept(store, sent[number])]
            assert not missing
            assert store.check_reviews() is None
    with Store.open(folder) as store:
        receipts = store.receive(RIG, sent)
        assert {receipts[number].outcome for number in answered} == {"known"}
        assert set(outcomes(receipts)) <= {"stored", "known"}
        with Store.open(tmp_path / "direct") as direct:
            direct.receive(RIG, sent)
            scan = example(seed).scan
            assert store.scan(scan) == direct.scan(scan)
            assert store.frames(scan).outcome.tolist() == direct.frames(scan).outcome.tolist()
            for name in ("points", "counts", "frame", "kind"):
                ours, theirs = (getattr(one.shapes(scan), name) for one in (store, direct))
                assert sorted(ours.tolist()) == sorted(theirs.tolist())
            assert store.stage_timings(scan).stages == direct.stage_timings(scan).stages


def _receive_and_kill(
    folder: Path, seed: int, first: int, until: int, after_s: float
) -> dict[int, str]:
    """Has a process receive, kills it soon after the receipt ``until``; gives its receipts."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.host_store.receiver", str(folder), str(seed), str(first)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith(f"{until} "):
                    break
            time.sleep(after_s)
        finally:
            process.kill()
        lines += process.stdout.readlines()
    assert lines[0] == "ready\n"
    whole = [line.split() for line in lines[1:] if line.endswith("\n")]
    return {int(number): outcome for number, outcome in whole}


def _is_kept(store: Store, parcel_: Parcel) -> bool:
    content = decode_content(parcel_.content)
    match content:
        case ScanBegan():
            return store.began(parcel_.scan).began == content.began
        case FramesSettled():
            frames = store.frames(parcel_.scan)
            kept = dict(zip(frames.number.tolist(), frames.outcome.tolist(), strict=True))
            return bool([kept[one] for one in content.frames.tolist()] == content.outcomes.tolist())
        case MapFinished():
            return store.defects(parcel_.scan).sha256 == content.sha256
        case ScanEnded():
            return store.scan(parcel_.scan).state == content.outcome
        case Tile():
            tile = store.tile(parcel_.scan, content.level, content.x, content.y)
            return tile is not None and tile.jpeg == content.jpeg


def _receive_with_little_room(folder: Path, answer: Connection) -> None:
    """Receives where no file may grow beyond a size, then where it may."""
    scan = ExampleScan(seed=3, size_mm=(60.0, 40.0), grid=(6, 4), defects=300)
    contents: list[Content] = [scan.settled(batch=24)[0], scan.map_finished(), scan.tile(1, 1, 1)]
    answers: list[object] = []
    with Store.open(folder) as store:
        store.receive(RIG, [parcel(scan.scan, scan.began())])
        for content in contents:
            one = parcel(scan.scan, content)
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, hard))
            try:
                answers.append(store.receive(RIG, [one]))
            except StorageError as error:
                answers.append(str(error))
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            answers.append([receipt.outcome for receipt in store.receive(RIG, [one])])
        answers.append(store.map_bytes(scan.scan) == scan.map_json)
        answers.append(store.tile(scan.scan, 1, 1, 1) is not None)
    answer.send(answers)


def test_a_full_disk_is_answered_with_nothing_until_there_is_room(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_receive_with_little_room, args=(tmp_path / "s", theirs))
    process.start()
    assert ours.poll(120)
    answers = ours.recv()
    process.join()
    for place in (0, 2, 4):
        assert isinstance(answers[place], str), answers[place]
        assert "cannot be written: " in answers[place]
    assert answers[1::2][:3] == [["stored"]] * 3
    assert answers[6:] == [True, True]
