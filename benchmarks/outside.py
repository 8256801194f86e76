"""What a replay spends outside the model: processor time of each stage, a frame.

    python benchmarks/outside.py [--rounds 3] [--frames 4x3] [--preset optic]
                                 [--recording scan.h5] [--recipe recipe.toml]

Each stage counts the processor time of all its threads (user and system) from the moment it is
ready for its first frame to its last sign of life. Of the worker's, what its main thread spends
but in calls of its backend, and what the threads of its links spend, is outside the model;
all else is the model's, which may run in the background. Start-up and the making of the map
are not in it, but in "all of the run", which is what the kernel says of all processes
together. Stages are told to count by a ``sitecustomize`` module that only this benchmark's
runs find. Where other work shares the cores, all times grow alike: trust the share.
"""

import argparse
import atexit
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from figures import machine

from darkscan.inference import Backend, FrameWindows, Pending, Seen
from darkscan.inference.worker_backend import WorkerBackend

_FOLDER = "DARKSCAN_BENCHMARK_COUNTS"
_MODEL, _ALL = "the model", "all of the run"


class _Counted:
    """A backend whose calls' processor time is added up."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.name, self.ahead = backend.name, backend.ahead
        self.spent_s = 0.0  # of the thread that calls; a backend may have others

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        """See Backend.start."""
        begun = time.thread_time()
        pending = self._backend.start(windows, full_scale, between_batches=between_batches)
        self.spent_s += time.thread_time() - begun

        def wait() -> Seen:
            begun = time.thread_time()
            try:
                return pending()
            finally:
                self.spent_s += time.thread_time() - begun

        return wait

    def close(self) -> None:
        """See Backend.close."""
        self._backend.close()


class _Spent(NamedTuple):
    """Processor time since this process began, seconds."""

    process_s: float
    main_s: float
    links_s: float

    @classmethod
    def by_now(cls) -> "_Spent":
        """To be called in the main thread."""
        links = sum(int(file.read_text().split()[0]) for file in _links_threads())
        return cls(time.process_time(), time.thread_time(), links / 1e9)


@cache
def _links_threads() -> list[Path]:
    """Where the kernel tells the time of each of ZeroMQ's threads, nanoseconds."""
    threads = Path("/proc/self/task").iterdir()
    return [each / "schedstat" for each in threads if (each / "comm").read_text().startswith("ZMQ")]


def count_in_this_process() -> None:
    """Makes a stage leave what it spent, and what of it its model, when it ends."""
    if "darkscan.stages" not in sys.orig_argv or _FOLDER not in os.environ:
        return
    from darkscan.pipeline.transport.station import Station

    stage = sys.orig_argv[sys.orig_argv.index("darkscan.stages") + 1]
    moments: list[_Spent] = []
    backends: list[_Counted] = []

    def seen(method: Callable[..., None]) -> Callable[..., None]:
        def timed(*arguments: Any, **options: Any) -> None:
            # The sign of life that says "done" comes when the map is made.
            if not (moments and options.get("now")):
                now = _Spent.by_now()
                moments[1:] = [now] if moments else [now, now]
            method(*arguments, **options)

        return timed

    Station.beat = seen(Station.beat)  # type: ignore[method-assign]
    Station.wait = seen(Station.wait)  # type: ignore[method-assign]
    if stage == "classification":
        _count_backends(backends)

    def leave() -> None:
        if not moments:
            return
        first, last = moments[0], moments[-1]
        whole = last.process_s - first.process_s
        own = last.main_s - first.main_s + last.links_s - first.links_s
        calls = sum(backend.spent_s for backend in backends)
        model = whole - own + calls if backends else 0.0
        spent = {"stage": stage, "all_s": whole, "model_s": model}
        (Path(os.environ[_FOLDER]) / f"{os.getpid()}.json").write_text(json.dumps(spent))

    atexit.register(leave)


def _count_backends(backends: list[_Counted]) -> None:
    from darkscan.stages.classification.classifier import Classifier

    make = Classifier.__init__

    def counted(
        self: Classifier, supply: Any, worker: WorkerBackend, *arguments: Any, **options: Any
    ) -> None:
        backends.append(_Counted(worker.backend))
        make(self, supply, worker._replace(backend=backends[-1]), *arguments, **options)

    Classifier.__init__ = counted  # type: ignore[method-assign]


def main() -> None:
    """Prints each stage's processor time a frame, and its share of all stages' together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", default="4x3", help="of the simulated recording")
    parser.add_argument("--preset", default="optic", help="of the simulated recording")
    parser.add_argument("--recording", type=Path, help="instead of a simulated one")
    parser.add_argument("--recipe", type=Path, help="instead of the default one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = arguments.recording or _simulated(Path(folder), arguments)
        rounds = [
            _round(Path(folder), recording, arguments.recipe) for _ in range(arguments.rounds)
        ]
    print(machine(), f"- medians of {len(rounds)} replays of {rounds[0][0]} frames")
    spent = {
        name: statistics.median(1000 * times[name] / frames for frames, times in rounds)
        for name in rounds[0][1]
    }
    whole = spent.pop(_ALL)
    together = sum(spent.values())
    for name, milliseconds in spent.items():
        print(f"{name:<36}{milliseconds:>9.2f} ms a frame {milliseconds / together:>8.2%}")
    shares = [1 - times[_MODEL] / (sum(times.values()) - times[_ALL]) for _, times in rounds]
    share = f"{statistics.median(shares):.2%} ({min(shares):.2%}-{max(shares):.2%})"
    print(
        f"outside the model: {together - spent[_MODEL]:.2f} of {together:.1f} ms a frame, {share}"
    )
    print(f"{_ALL}, start-up and the map included: {whole:.0f} ms a frame")


def _simulated(folder: Path, arguments: argparse.Namespace) -> Path:
    path = folder / "scan.h5"
    options = ["--frames", arguments.frames, "--preset", arguments.preset, "--out", str(path)]
    command = [sys.executable, "-m", "darkscan", "simulate", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def _round(folder: Path, recording: Path, recipe: Path | None) -> tuple[int, dict[str, float]]:
    """How many frames were mapped, and processor time of each part, seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        counts, hook, out = (Path(own) / name for name in ("counts", "hook", "out"))
        for place in (counts, hook):
            place.mkdir()
        (hook / "sitecustomize.py").write_text(
            "from outside import count_in_this_process\n\ncount_in_this_process()\n"
        )
        paths = [str(hook), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            _FOLDER: str(counts),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        command = [sys.executable, "-m", "darkscan", "replay", str(recording), "--out", str(out)]
        command += [] if recipe is None else ["--recipe", str(recipe)]
        before = _children_s()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        whole = _children_s() - before
        frames = json.loads((out / "defect-map.json").read_text())["ledger"]["mapped"]
        left = [json.loads(file.read_text()) for file in counts.iterdir()]
    times: dict[str, float] = defaultdict(float)
    for stage in ("acquisition", "preprocessing", "classification", "merging"):
        for spent in (spent for spent in left if spent["stage"] == stage):
            rest = " but the model" if stage == "classification" else ""
            times[stage + rest] += spent["all_s"] - spent["model_s"]
            times[_MODEL] += spent["model_s"]
    times[_ALL] = whole
    return frames, times


def _children_s() -> float:
    """Processor time of all processes begun and ended so far, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
