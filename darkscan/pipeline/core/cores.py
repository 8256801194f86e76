"""The processor cores that this process may use, and how workers share them.

Two hyperthreads of a core have one set of arithmetic units between them, so networks want
a thread for each core. What a container is allowed counts, not what the machine has.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_CPUS = "sys/devices/system/cpu"
_GROUPS = "sys/fs/cgroup"


def cores(allowed: set[int] | None = None, *, root: Path = _ROOT) -> list[tuple[int, ...]]:
    """The physical cores of the allowed CPUs, each as the numbers of its hyperthreads.

    ``allowed``: by default those that this process may run on. Where the machine does not
    say which CPUs share a core, each counts as one. ``root``: of the files it says so in.
    """
    siblings = defaultdict(list)
    for cpu in sorted(os.sched_getaffinity(0) if allowed is None else allowed):
        topology = root / _CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        try:
            core = topology.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            core = ""
        siblings[core or f"cpu {cpu}"].append(cpu)
    return [tuple(cpus) for cpus in siblings.values()]


def quota(*, root: Path = _ROOT) -> float | None:
    """Cores' worth of time that this process's control groups allow it; None: no limit."""
    return min(_limits(root), default=None)


def usable(*, allowed: set[int] | None = None, root: Path = _ROOT) -> int:
    """How many threads can compute at a time without being in each other's way; at least 1."""
    limit = quota(root=root)
    count = len(cores(allowed, root=root))
    return max(1, count if limit is None else min(count, int(limit)))


def threads_each(workers: int) -> int:
    """Threads of each of so many workers that share this machine."""
    return max(1, usable() // max(1, workers))


def _limits(root: Path) -> Iterator[float]:
    """The limits of this process's groups and of those around them, versions 1 and 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for group in _upwards(root / _GROUPS, path):
                yield from _limit(_words(group / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for group in _upwards(root / _GROUPS / controllers, path):
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                yield from _limit([word for name in names for word in _words(group / name)])


def _upwards(top: Path, path: str) -> list[Path]:
    """A group's folder and those of the groups around it."""
    group = top / path.strip("/")
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def _limit(words: list[str]) -> Iterator[float]:
    """Time over period; no limit is written as "max", or as -1."""
    try:
        time, period = map(int, words)
    except ValueError:
        return
    if time > 0 and period > 0:
        yield time / period
