"""From a model file to an engine: TensorRT reads the graph, tries kernels and keeps the best."""

from pathlib import Path
from typing import Any, NamedTuple

from darkscan.pipeline.errors import DarkscanError, InputError
from darkscan.stages.inference.tensorrt.library import Library, listener
from darkscan.stages.inference.tensorrt.shapes import Shapes
from darkscan.stages.inference.tensorrt.watching import Watch, monitor


class Built(NamedTuple):
    """An engine, and what was measured meanwhile, both as files have them."""

    engine: bytes
    timings: bytes


class Graph(NamedTuple):
    """A network as TensorRT has it, and what it lives on: the parser holds its weights."""

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
    return Graph(builder, network, parser)


def build(
    library: Library,
    content: bytes,
    shapes: Shapes,
    *,
    file: Path,
    timings: bytes = b"",
    workspace: int | None = None,
    watch: Watch | None = None,
) -> Built:
    """Builds an engine for the present GPU; seconds to many minutes of it.

    ``timings``: what an earlier building measured; ``workspace``: the most device memory
    kernels may take beside weights and feature maps, bytes; ``watch`` sees how far it is and
    can stop it. Raises InputError if the graph is refused, DarkscanError if the building
    fails or is stopped.
    """
    trt = library.trt
    graph = read_graph(library, content, file=file)
    builder = graph.builder
    config = builder.create_builder_config()
    # float32 means float32: weak scratches lie in bits that TF32 drops.
    config.clear_flag(trt.BuilderFlag.TF32)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    profile = builder.create_optimization_profile()
    for name, shape in shapes.of_inputs.items():
        profile.set_shape(name, shape, shape, shape)
    if config.add_optimization_profile(profile) < 0:
        raise InputError(f"does not take frames of {shapes}: {library.log.take()}", file=file)
    cache = _timing_cache(library, config, timings)
    # Held here: the config does not keep it alive.
    watching = monitor(library.trt, watch or Watch())
    config.progress_monitor = watching
    plan = builder.build_serialized_network(graph.network, config)
    if plan is None:
        raise DarkscanError(f"{file}: {library.name} built no engine: {library.log.take()}")
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
