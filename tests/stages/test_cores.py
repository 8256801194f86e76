"""How many threads a machine, or what a container may use of it, is worth."""

from pathlib import Path

import pytest

from darkscan.pipeline.core.cores import cores, quota, usable


def machine(root: Path, siblings: dict[int, str]) -> Path:
    for cpu, text in siblings.items():
        folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(text + "\n")
    return root


def groups(root: Path, membership: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


HYPERTHREADS = {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}


@pytest.mark.parametrize(
    ("siblings", "allowed", "expected"),
    [
        pytest.param(HYPERTHREADS, {0, 1, 4, 5}, [(0, 4), (1, 5)], id="two threads a core"),
        pytest.param(HYPERTHREADS, {1, 4, 5}, [(1, 5), (4,)], id="half a core is kept from us"),
        pytest.param({}, {0, 3}, [(0,), (3,)], id="a machine that does not say"),
    ],
)
def test_hyperthreads_share_a_core(
    tmp_path: Path,
    siblings: dict[int, str],
    allowed: set[int],
    expected: list[tuple[int, ...]],
) -> None:
    assert cores(allowed, root=machine(tmp_path, siblings)) == expected


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        pytest.param("0::/job\n", {"job/cpu.max": "150000 100000"}, 1.5, id="version 2"),
        pytest.param(
            "0::/a/b\n",
            {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000", "cpu.max": "max 100000"},
            3.0,
            id="the group around it",
        ),
        pytest.param(
            "4:cpu,cpuacct:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
            2.0,
            id="version 1",
        ),
        pytest.param(
            "4:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            None,
            id="version 1 without a limit",
        ),
        pytest.param("0::/\n", {"cpu.max": "nonsense"}, None, id="nonsense"),
        pytest.param("nonsense", {}, None, id="nonsense of a membership"),
        pytest.param("0::/../../etc\n", {}, None, id="a group outside of the namespace"),
    ],
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: float | None
) -> None:
    assert quota(root=groups(tmp_path, membership, files)) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("50000 100000", 1), ("199000 100000", 1), ("900000 100000", 2)],
    ids=["half a core", "not quite two", "more than there are"],
)
def test_there_are_as_many_threads_as_can_compute_at_once(
    tmp_path: Path, limit: str, expected: int
) -> None:
    root = groups(machine(tmp_path, HYPERTHREADS), "0::/\n", {"cpu.max": limit})
    assert usable(allowed={0, 1, 4, 5}, root=root) == expected


def test_a_machine_that_says_nothing_has_the_cores_we_may_use(tmp_path: Path) -> None:
    assert usable(allowed={0, 1, 2}, root=tmp_path) == 3
