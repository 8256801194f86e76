"""Builds engines: TensorRT reads the graph, tries kernels and keeps the best."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from darkscan.inference.tensorrt._engines import Shapes
from darkscan.inference.tensorrt._library import Library, listener
from darkscan.pipeline.core.errors import DarkscanError, InputError

Result = TypeVar("Result")

_LOOK_EVERY_S = 0.2


class Step(NamedTuple):
    """The progress of a phase of the building."""

    phase: str
    done: int
    total: int


class Watch:
    """The progress of a building: its phases, as the library reports them, and a way to stop it."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._phases: dict[str, Step] = {}  # outermost first

    @property
    def step(self) -> Step | None:
        """The outermost phase under way, if any."""
        return next(iter(tuple(self._phases.values())), None)

    def stop(self) -> None:
        """Ends the building at its next step."""
        self._stopped.set()

    def begin(self, phase: str, steps: int) -> None:
        """A phase of so many steps begins."""
        self._phases[phase] = Step(phase, 0, steps)

    def advance(self, phase: str, step: int) -> bool:
        """A step (from 0) of a phase is done; whether to go on."""
        if phase in self._phases:
            self._phases[phase] = self._phases[phase]._replace(done=step + 1)
        return not self._stopped.is_set()

    def end(self, phase: str) -> None:
        """A phase is over."""
        self._phases.pop(phase, None)


def monitor(trt: Any, watch: Watch) -> Any:
    """A progress monitor of the library ``trt`` that tells ``watch``."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()  # without it, the library crashes

        def phase_start(self, phase_name: str, _parent: str | None, num_steps: int) -> None:
            watch.begin(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return watch.advance(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            watch.end(phase_name)

    return Monitor()


def run_watched(work: Callable[[Watch], Result], tell: Callable[[Step], object]) -> Result:
    """Does ``work`` in a thread of its own, and calls ``tell`` with its progress now and then.

    So Ctrl-C is raised here and not within a call from the library, where it would end the
    process; the work is stopped at its next step before KeyboardInterrupt goes on.
    """
    watch = Watch()
    results: list[Result] = []
    failures: list[BaseException] = []

    def do() -> None:
        try:
            results.append(work(watch))
        except BaseException as failure:  # noqa: BLE001 - raised in the waiting thread
            failures.append(failure)

    thread = threading.Thread(target=do, name="engine-building")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LOOK_EVERY_S)
            if step := watch.step:
                tell(step)
    finally:
        watch.stop()
        thread.join()
    if failures:
        raise failures[0]
    return results[0]


class Built(NamedTuple):
    """An engine, and the timings of kernels measured for it, both as the bytes of files."""

    engine: bytes
    timings: bytes


class Graph(NamedTuple):
    """A network of TensorRT's, with the builder and the parser; the parser holds its weights."""

    file: Path
    """The model file that it was read from, for errors."""

    builder: Any
    network: Any
    parser: Any


def read_graph(library: Library, content: bytes, *, file: Path) -> Graph:
    """The network of a model file's content, its types kept.

    Raises InputError that names ``file`` and the node that is refused.
    """
    trt = library.trt
    builder = _builder(library)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, builder.logger)
    if not parser.parse(content):
        library.log.take()
        raise InputError(f"is refused by {library.name}: {_refusal(parser)}", file=file)
    return Graph(file, builder, network, parser)


def build(
    library: Library,
    graph: Graph,
    shapes: Shapes,
    *,
    timings: bytes = b"",
    workspace: int | None = None,
    watch: Watch | None = None,
) -> Built:
    """Builds an engine for the present GPU; takes seconds to many minutes.

    ``timings``: those of an earlier building; ``workspace``: the most device memory that
    kernels may take beside weights and feature maps, bytes; ``watch`` follows the progress and
    can stop the building. Raises InputError if the frames are refused, DarkscanError if the
    building fails or is stopped.
    """
    trt, builder = library.trt, graph.builder
    config = builder.create_builder_config()
    # float32 means float32: weak scratches lie in bits that TF32 drops.
    config.clear_flag(trt.BuilderFlag.TF32)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    profile = builder.create_optimization_profile()
    for name, shape in shapes.of_inputs.items():
        profile.set_shape(name, shape, shape, shape)
    if config.add_optimization_profile(profile) < 0:
        raise InputError(f"does not take frames of {shapes}: {library.log.take()}", file=graph.file)
    cache = _timing_cache(library, config, timings)
    # Held in a variable: the config does not keep it alive.
    watching = monitor(library.trt, watch or Watch())
    config.progress_monitor = watching
    plan = builder.build_serialized_network(graph.network, config)
    if plan is None:
        raise DarkscanError(f"{graph.file}: {library.name} built no engine: {library.log.take()}")
    return Built(bytes(plan), bytes(cache.serialize()) if cache is not None else b"")


def _builder(library: Library) -> Any:
    try:
        return library.trt.Builder(listener(library))
    except (TypeError, RuntimeError) as error:  # the library's constructor gave nothing
        problem = f"{library.name} cannot be used here: {library.log.take()}"
        raise DarkscanError(problem) from error


def _refusal(parser: Any) -> str:
    """The first of a parser's errors: the node, and what is wrong with it."""
    if not parser.num_errors:
        return "no reason given"
    error = parser.get_error(0)
    where = f"{error.node_operator()} {error.node_name()}: " if error.node_operator() else ""
    return where + " ".join(str(error.desc()).split())


def _timing_cache(library: Library, config: Any, timings: bytes) -> Any:
    """The config's timing cache, of an earlier building if it fits; None if it keeps none."""
    if not library.keeps_timings:
        return None
    for content in (timings, b""):
        cache = config.create_timing_cache(content)
        # One of another device or version is refused: then begin anew.
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            library.log.take()
            return cache
    return None
