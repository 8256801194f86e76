"""TensorRT 11.4 as far as it is called: what it takes, it takes as the real one does.

``api_11_4.json`` lists the real one's classes and their arguments; ``test_api`` holds this
fake to it. An engine of the fake finds in a window its mean, adjusted.
"""

import json
from enum import IntEnum
from typing import Any

import numpy as np

from tests.tensorrt.fake_gpu import Gpu

CELLS = 32
SIDE = 256
REFUSED = b"refused"
"""A model file with these bytes is refused by the parser."""


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(IntEnum):
    TF32 = 7


class MemoryPoolType(IntEnum):
    WORKSPACE = 0


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)

    def __init__(self) -> None:
        self.made = True

    def log(self, severity: int, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    def __init__(self) -> None:
        self.made = True


class INetworkDefinition:
    def __init__(self, flags: int) -> None:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        self.content = b""


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}

    def set_shape(  # the real one's names
        self,
        input: str,  # noqa: A002
        min: tuple[int, ...],  # noqa: A002
        opt: tuple[int, ...],
        max: tuple[int, ...],  # noqa: A002
    ) -> None:
        assert min == opt == max, "a profile that is not fixed"
        self.shapes[input] = min


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content


class IBuilderConfig:
    def __init__(self) -> None:
        self.flags = {BuilderFlag.TF32}
        self.profile: IOptimizationProfile | None = None
        self.cache: ITimingCache | None = None
        self.progress_monitor: Any = None
        self.limits: dict[MemoryPoolType, int] = {}

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.flags.remove(flag)

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self.limits[pool] = pool_size

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profile = profile
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch, "timings of another device"
        if cache.content and not cache.content.startswith(b"timings"):
            return False
        self.cache = cache
        return True


class Builder:
    steps = 3
    """Of every building; a monitor is asked after each whether to go on."""

    def __init__(self, logger: ILogger) -> None:
        assert logger.made, "without the base class's __init__ the real one crashes"
        self.logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        assert config.profile is not None
        monitor = config.progress_monitor
        assert monitor.made, "without the base class's __init__ the real one crashes"
        monitor.phase_start("Building", None, self.steps)
        for step in range(self.steps):
            if not monitor.step_complete("Building", step):
                self.logger.log(ILogger.ERROR, "BuildCanceled (by user)\nand more")
                return None
        monitor.phase_finish("Building")
        if config.cache is not None:
            config.cache.content = (config.cache.content or b"timings") + b"+"
        plan = {
            "shapes": config.profile.shapes,
            "tf32": BuilderFlag.TF32 in config.flags,
            "workspace": config.limits.get(MemoryPoolType.WORKSPACE),
            "model": len(network.content),
        }
        return json.dumps(plan).encode()


class ParserError:
    def desc(self) -> str:
        return "Plugin not found,\nare the name and version correct?"

    def node_name(self) -> str:
        return "node_7"

    def node_operator(self) -> str:
        return "Nonsense"


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self.network = network
        self.logger = logger
        self.num_errors = 0

    def parse(self, model: bytes, path: str | None = None) -> bool:
        assert path is None, "weights lie in the file"
        self.network.content = model
        self.num_errors = int(REFUSED in model)
        return not self.num_errors

    def get_error(self, index: int) -> ParserError:
        assert index < self.num_errors
        return ParserError()


class ICudaEngine:
    names = ("frame", "origins", "gains", "offsets", "full_scale", "logits", "scores", "lines")

    def __init__(self, gpu: Gpu, plan: dict[str, Any]) -> None:
        self.gpu = gpu
        self.plan = plan
        self.num_io_tensors = len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        is_input = self.names.index(name) < self.names.index("logits")
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def create_execution_context(self) -> "IExecutionContext":
        return IExecutionContext(self.gpu, self)


class IExecutionContext:
    def __init__(self, gpu: Gpu, engine: ICudaEngine) -> None:
        self.gpu = gpu
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.ran = False

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = shape
        return tuple(self.engine.plan["shapes"][name]) == shape

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        windows = self.shapes["gains"][0]
        return (windows, CELLS, CELLS) if name == "lines" else (windows,)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return name in self.engine.names

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert set(self.addresses) == set(self.engine.names), "a tensor without memory"
        assert set(self.shapes) == {"frame", "origins", "gains", "offsets"}
        assert self.ran or self.gpu.capturing is None, "the first run cannot be captured"
        self.ran = True
        places = dict(self.addresses)
        self.gpu.enqueue(lambda: self._run(places), self.gpu.streams[stream_handle])
        return True

    def _run(self, places: dict[str, int]) -> None:
        def of(name: str, dtype: type, shape: tuple[int, ...]) -> Any:
            content = self.gpu.find(places[name])
            return (
                content[: int(np.prod(shape)) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
            )

        windows = self.shapes["gains"][0]
        frame = of("frame", np.uint8, self.shapes["frame"]).astype(np.float32)
        grey = frame[..., 0] + (256 * frame[..., 1] if frame.shape[2] > 1 else 0)
        origins = of("origins", np.int64, (windows, 2))
        gains, offsets = (of(name, np.float32, (windows,)) for name in ("gains", "offsets"))
        means = np.array([grey[y : y + SIDE, x : x + SIDE].mean() for y, x in origins])
        scores = (means * gains + offsets) / of("full_scale", np.float32, ())
        of("logits", np.float32, (windows,))[:] = 0
        of("scores", np.float32, (windows,))[:] = scores
        of("lines", np.float32, (windows, CELLS, CELLS))[:] = scores[:, None, None] / 2


def fake_tensorrt(gpu: Gpu, version: str = "11.4.0.106") -> Any:
    """A module; its engines run on ``gpu``."""

    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            assert logger.made
            self.logger = logger

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
            try:
                return ICudaEngine(gpu, json.loads(serialized_engine))
            except ValueError:
                self.logger.log(ILogger.ERROR, "the magic tag does not match")
                return None

    names = globals()
    members = {name: names[name] for name in (*CLASSES, *ENUMS)}
    return type("tensorrt", (), {**members, "Runtime": Runtime, "__version__": version})


ENUMS = ("BuilderFlag", "MemoryPoolType", "NetworkDefinitionCreationFlag", "TensorIOMode")
CLASSES = (
    "Builder",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITimingCache",
    "OnnxParser",
    "ParserError",
)
