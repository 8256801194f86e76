"""The selection of the backend that runs a model on this machine, and why not the others."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from darkscan.inference.backend import Backend
from darkscan.inference.gpus import find_gpus
from darkscan.inference.model_job import ModelJob
from darkscan.pipeline.core.errors import InputError

BackendName = Literal["tensorrt", "torch", "openvino", "onnxruntime"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)
"""All backends, the fastest first."""

Devices = tuple[int, ...]
"""GPUs by number."""

_FIELD = "processes.backend"
_ON_GPUS = {"tensorrt", "torch"}
_X86 = {"x86_64", "AMD64"}
# Measured on x86 (benchmarks/); windowed float models are as fast on ONNX Runtime, which
# is always there.
_FASTER_ON_OPENVINO = {("dense", "float32"), ("dense", "int8"), ("windowed", "int8")}


@dataclass(frozen=True)
class Placement:
    """Where one worker runs a model: the backend, its device, and how much at once."""

    backend: str
    """The name of one of ``BACKENDS``."""

    device: int | None = None
    """The GPU by number; None: the CPU."""

    threads: int = 1
    """Threads on the CPU."""

    batch: int = 32
    """Windows that go through a windowed network at once, at most."""


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
        return device_of(worker, self.devices)

    def __str__(self) -> str:
        place = f"GPU {', '.join(map(str, self.devices))}" if self.devices else "the CPU"
        lines = [f"{self.backend_name} on {place}: {self.reason}"]
        lines += [f"not {name}: {why}" for name, why in self.refused]
        return "; ".join(lines)


def device_of(worker: int, devices: Sequence[int]) -> int | None:
    """The one of the GPUs that the worker with this number uses; None if there are none."""
    return devices[worker % len(devices)] if devices else None


def choose(wanted: str, job: ModelJob, devices: Devices = ()) -> Choice:
    """The backend a recipe asks for by name, or with "auto" the fastest that works here.

    Always the same for the same machine, job and devices: nothing is measured. ``devices``:
    the GPUs to use, by number; none named: all there are. Raises InputError if the backend
    asked for cannot work.
    """
    if wanted == "auto":
        return choose_fastest(job, devices)
    name = next((name for name in BACKENDS if name == wanted), None)
    if name is None:
        raise InputError(f"must be auto or one of {', '.join(BACKENDS)}", field=_FIELD)
    if devices and name not in _ON_GPUS:
        problem = f"names a GPU, but {name} runs on the CPU: leave it out, or ask for auto"
        raise InputError(problem, field="processes.devices")
    if why := why_not(name, job, devices):
        raise InputError(f"{name} does not work here: {why}", field=_FIELD)
    if name == "torch" and (no_gpu := why_not_first(name, job, devices)):
        return Choice(name, (), f"asked for; on no GPU: {no_gpu}")
    return Choice(name, gpus_for(name, job, devices), "asked for")


def choose_fastest(job: ModelJob, devices: Devices = ()) -> Choice:
    """The fastest backend that works here. Raises InputError if none does."""
    refused: list[tuple[BackendName, str]] = []
    for name in BACKENDS:
        why = why_not_first(name, job, devices)
        if why is None:
            gpus = gpus_for(name, job, devices)
            return Choice(name, gpus, "the fastest that works here", tuple(refused))
        refused.append((name, why))
    raise InputError(f"no backend runs it: {refused[-1][1]}", file=job.file)


def why_not(name: BackendName, job: ModelJob, devices: Devices = ()) -> str | None:
    """Why a backend cannot do the job here, in one line; None if it can.

    Torch may do it on the CPU unless ``devices`` names GPUs. Whatever could crash on a strange
    machine is tried in a process of its own.
    """
    match name:
        case "tensorrt":
            return _why_not_gpus(devices) or _why_not_tensorrt(job, gpus_of(devices))
        case "torch":
            if not devices:
                return _why_not_torch(job, ())
            return _why_not_gpus(devices) or _why_not_torch(job, devices)
        case "openvino":
            from darkscan.inference import openvino

            return openvino.why_not(job.file)
        case "onnxruntime":
            return None


def why_not_first(name: BackendName, job: ModelJob, devices: Devices = ()) -> str | None:
    """Why a backend is not taken without being asked for; None if it may be.

    Torch is taken on GPUs only, OpenVINO where it is faster than ONNX Runtime.
    """
    if name == "torch":
        return _why_not_gpus(devices) or _why_not_torch(job, gpus_of(devices))
    slower = _why_not_openvino_first(job) if name == "openvino" else None
    return slower or why_not(name, job, devices)


def gpus_for(name: BackendName, job: ModelJob, devices: Devices = ()) -> Devices:
    """The GPUs, by number, that a backend does the job on if it can; none: on the CPU."""
    if name not in _ON_GPUS or (name == "torch" and why_not_first(name, job, devices)):
        return ()
    return gpus_of(devices)


def gpus_of(devices: Devices) -> Devices:
    """The GPUs named, or all there are if none is named."""
    return devices or tuple(gpu.number for gpu in find_gpus().found)


def open_backend(job: ModelJob, placement: Placement) -> Backend:
    """Opens a backend that was chosen for a job.

    Frames of other formats and windows of other strides are taken, too, unless the backend is
    TensorRT. Raises InputError if it does not work after all.
    """
    device, threads, batch = placement.device, placement.threads, placement.batch
    match placement.backend:
        case "tensorrt":
            from darkscan.inference.tensorrt import TensorRTBackend

            return TensorRTBackend(job, device=device or 0)
        case "torch" if device is not None:
            from darkscan.inference.pytorch.cuda import CudaBackend

            return CudaBackend(job, device=device, batch=batch)
        case "torch":
            from darkscan.inference.pytorch.cpu import TorchBackend

            return TorchBackend(job.file, threads=threads, batch=batch)
        case "openvino":
            from darkscan.inference.openvino import OpenVinoBackend

            return OpenVinoBackend(job.file, threads=threads, batch=batch, precision=job.precision)
        case "onnxruntime":
            from darkscan.inference.onnx_runtime import OnnxRuntimeBackend

            return OnnxRuntimeBackend(job.file, threads=threads, batch=batch)
    problem = f"must be one of {', '.join(BACKENDS)}, is {placement.backend}"
    raise InputError(problem, field=_FIELD)


def _why_not_openvino_first(job: ModelJob) -> str | None:
    if platform.machine() not in _X86:
        return f"is not measured on {platform.machine()}"
    kind = (job.conventions.form, job.conventions.precision)
    if kind not in _FASTER_ON_OPENVINO:
        return f"is no faster than ONNX Runtime with {' '.join(kind)} models"
    return None


def _why_not_gpus(devices: Devices) -> str | None:
    gpus = find_gpus()
    if not gpus.found:
        return gpus.why_none
    there = {gpu.number for gpu in gpus.found}
    if missing := sorted(set(devices) - there):
        has = ", ".join(map(str, sorted(there)))
        return f"there is no GPU {', '.join(map(str, missing))}; there is {has}"
    return None


def _why_not_tensorrt(job: ModelJob, devices: Devices) -> str | None:
    from darkscan.inference import tensorrt

    whys = (tensorrt.why_not(job, device) for device in devices)
    return next(filter(None, whys), None)


def _why_not_torch(job: ModelJob, devices: Devices) -> str | None:
    from darkscan.inference.pytorch.check import why_not_torch

    return why_not_torch(job.file, devices)
