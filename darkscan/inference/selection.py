"""Which backend runs a model on this machine, and why not the others."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from darkscan.inference.backend import Backend
from darkscan.inference.conventions import Conventions, Precision
from darkscan.inference.gpus import find_gpus
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import PixelType

BackendName = Literal["tensorrt", "torch", "openvino", "onnxruntime"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
"""All backends, the fastest first."""

_FIELD = "processes.backend"
_ON_GPUS = {"tensorrt", "torch"}
_X86 = {"x86_64", "AMD64"}
# Measured on x86 (benchmarks/); windowed float models are as fast on ONNX Runtime, which
# is always there.
_FASTER_ON_OPENVINO = {("dense", "float32"), ("dense", "int8"), ("windowed", "int8")}


@dataclass(frozen=True)
class Choice:
    """The backend of a run, the same for all its workers and after every restart."""

    backend_name: BackendName
    devices: tuple[int, ...]
    """The GPUs to share the workers among, by number; none on the CPU."""

    reason: str
    refused: tuple[tuple[BackendName, str], ...] = ()
    """The backends that would have come first, and why each was not taken."""

    def device_of(self, worker: int) -> int | None:
        """The GPU of the worker with this number; None on the CPU."""
        return self.devices[worker % len(self.devices)] if self.devices else None

    def __str__(self) -> str:
        place = f"GPU {', '.join(map(str, self.devices))}" if self.devices else "the CPU"
        lines = [f"{self.backend_name} on {place}: {self.reason}"]
        lines += [f"not {name}: {why}" for name, why in self.refused]
        return "; ".join(lines)


@dataclass(frozen=True)
class Work:
    """What is to be run: a model, on frames of one kind, on some of the GPUs."""

    model: Path
    conventions: Conventions
    frame_shape: tuple[int, int] | None = None
    """Height and width of the frames with the context around them, if known."""

    pixel_type: PixelType | None = None
    devices: tuple[int, ...] = ()
    """The GPUs to use, by number; none named: all there are."""

    stride: int | None = None
    """Step from window to window, pixels; left out, the model's."""

    context: int = 0
    """Pixels of its neighbours around each frame."""

    precision: Precision = "exact"

    @property
    def gpus(self) -> tuple[int, ...]:
        """The GPUs that it would run on; none where there are none."""
        return self.devices or tuple(gpu.number for gpu in find_gpus().found)


def choose(
    wanted: str,
    model: Path,
    conventions: Conventions,
    *,
    frame_shape: tuple[int, int],
    pixel_type: PixelType,
    devices: tuple[int, ...] = (),
    stride: int | None = None,
    context: int = 0,
    precision: Precision = "exact",
) -> Choice:
    """The backend a recipe asks for by name, or with "auto" the fastest that works here.

    Always the same for the same machine, model and recipe: nothing is measured.
    ``frame_shape``: height and width with ``context`` pixels around each frame; ``devices``,
    ``stride`` (left out: the model's) and ``precision`` as in the recipe. Raises InputError if
    the backend asked for cannot work.
    """
    work = Work(
        model,
        conventions,
        frame_shape,
        pixel_type,
        devices,
        stride=stride,
        context=context,
        precision=precision,
    )
    return the_fastest(work) if wanted == "auto" else _asked_for(wanted, work)


def the_fastest(work: Work) -> Choice:
    """The fastest backend that works here. Raises InputError if none does."""
    refused: list[tuple[BackendName, str]] = []
    for name in BACKENDS:
        why = why_not(name, work, by_itself=True)
        if why is None:
            devices = gpus_for(name, work)
            return Choice(name, devices, "the fastest that works here", tuple(refused))
        refused.append((name, why))
    raise InputError(f"no backend runs it: {refused[-1][1]}", file=work.model)


def why_not(name: BackendName, work: Work, *, by_itself: bool = False) -> str | None:
    """Why a backend cannot do the work here, in one line; None if it can.

    ``by_itself``: None only if it may be taken without being asked for, too: torch on a GPU,
    OpenVINO where it is the faster one. What could crash on a strange machine is tried in a
    process of its own.
    """
    match name:
        case "tensorrt":
            return _why_not_gpus(work) or _why_not_tensorrt(work)
        case "torch":
            from darkscan.inference.pytorch.check import why_not_torch

            if not (by_itself or work.devices):
                return why_not_torch(work.model, ())  # on the CPU, if there is nothing else
            return _why_not_gpus(work) or why_not_torch(work.model, work.gpus)
        case "openvino":
            from darkscan.inference import openvino

            slower = _why_not_openvino_first(work.conventions) if by_itself else None
            return slower or openvino.why_not(work.model)
    return None


def gpus_for(name: BackendName, work: Work) -> tuple[int, ...]:
    """The GPUs, by number, that a backend does the work on if it can; none: on the CPU."""
    if name not in _ON_GPUS:
        return ()
    if name == "torch" and why_not(name, work, by_itself=True):
        return ()
    return work.gpus


def open_backend(
    name: str,
    model: Path,
    *,
    threads: int,
    batch: int,
    frame_shape: tuple[int, int],
    pixel_type: PixelType,
    device: int | None = None,
    stride: int | None = None,
    context: int = 0,
    precision: Precision = "exact",
) -> Backend:
    """Opens a backend that was chosen; ``device`` is the GPU it runs on, None the CPU.

    ``threads`` and ``batch`` as in the recipe, the others as for ``choose``; frames of other
    shapes and strides are taken, too, unless it is TensorRT. Raises InputError if it does not
    work after all.
    """
    match name:
        case "tensorrt":
            from darkscan.inference.tensorrt import TensorRTBackend, Wanted

            wanted = Wanted(frame_shape, pixel_type, stride, context, precision)
            return TensorRTBackend(model, wanted, device=device or 0)
        case "torch" if device is not None:
            from darkscan.inference.pytorch.cuda import CudaBackend

            return CudaBackend(
                model,
                device=device,
                frame_shape=frame_shape,
                pixel_type=pixel_type,
                batch=batch,
                precision=precision,
            )
        case "torch":
            from darkscan.inference.pytorch.cpu import TorchBackend

            return TorchBackend(model, threads=threads, batch=batch)
        case "openvino":
            from darkscan.inference.openvino import OpenVinoBackend

            return OpenVinoBackend(model, threads=threads, batch=batch, precision=precision)
        case "onnxruntime":
            from darkscan.inference.onnx_runtime import OnnxRuntimeBackend

            return OnnxRuntimeBackend(model, threads=threads, batch=batch)
    raise InputError(f"must be one of {', '.join(BACKENDS)}, is {name}", field=_FIELD)


def _asked_for(wanted: str, work: Work) -> Choice:
    name = next((name for name in BACKENDS if name == wanted), None)
    if name is None:
        raise InputError(f"must be auto or one of {', '.join(BACKENDS)}", field=_FIELD)
    if work.devices and name not in _ON_GPUS:
        problem = f"names a GPU, but {name} runs on the CPU: leave it out, or ask for auto"
        raise InputError(problem, field="processes.devices")
    if why := why_not(name, work):
        raise InputError(f"{name} does not work here: {why}", field=_FIELD)
    if name == "torch" and (no_gpu := why_not(name, work, by_itself=True)):
        return Choice(name, (), f"asked for; on no GPU: {no_gpu}")
    return Choice(name, gpus_for(name, work), "asked for")


def _why_not_openvino_first(conventions: Conventions) -> str | None:
    if platform.machine() not in _X86:
        return f"is not measured on {platform.machine()}"
    kind = (conventions.form, conventions.precision)
    if kind not in _FASTER_ON_OPENVINO:
        return f"is no faster than ONNX Runtime with {' '.join(kind)} models"
    return None


def _why_not_gpus(work: Work) -> str | None:
    gpus = find_gpus()
    if not gpus.found:
        return gpus.why_none
    there = {gpu.number for gpu in gpus.found}
    if missing := sorted(set(work.devices) - there):
        has = ", ".join(map(str, sorted(there)))
        return f"there is no GPU {', '.join(map(str, missing))}; there is {has}"
    return None


def _why_not_tensorrt(work: Work) -> str | None:
    from darkscan.inference import tensorrt

    wanted = tensorrt.Wanted(
        work.frame_shape, work.pixel_type, work.stride, work.context, work.precision
    )
    whys = (tensorrt.why_not(work.model, device, wanted) for device in work.gpus)
    return next(filter(None, whys), None)
