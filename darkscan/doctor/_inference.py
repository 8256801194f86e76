"""What runs the recipe's model here: the backends, and a GPU that nothing uses."""

from collections.abc import Iterator
from pathlib import Path

from darkscan.doctor._findings import Finding, Subject, note, ok
from darkscan.inference import BACKENDS, FrameFormat, ModelJob, choose
from darkscan.inference.gpus import find_gpus
from darkscan.inference.selection import why_not

_PCI_DEVICES = Path("/sys/bus/pci/devices")
_NVIDIA, _DISPLAY = "0x10de", "0x03"  # vendor, and the first byte of the class
_PIXELS = (2048, 2048)
_FULL_SCALE = 255


def check_backends(subject: Subject) -> Iterator[Finding]:
    """The backend that a run would take, and why not the others."""
    processes, rig = subject.recipe.processes, subject.rig
    frames = FrameFormat(_PIXELS, "uint8", _FULL_SCALE)
    if rig is not None:
        camera = rig.camera
        frames = FrameFormat(rig.frame_shape, camera.pixel_type, 2**camera.bit_depth - 1)
    job = ModelJob.read(subject.model, frames)
    choice = choose(processes.backend, job, processes.devices)
    where = f"GPU {', '.join(map(str, choice.devices))}" if choice.devices else "the CPU"
    yield ok("backend", f"{job.conventions.name} runs by {choice.backend_name} on {where}")
    gpus = find_gpus()
    for name in BACKENDS:
        why = why_not(name, job)
        if name == choice.backend_name or why is None:
            continue
        on_gpu = name in {"tensorrt", "torch"} and bool(gpus.found)
        kind = note if on_gpu and not choice.devices else ok
        yield kind("backend", f"not {name}: {why}")


def check_gpu(_: Subject) -> Iterator[Finding]:
    """The GPUs that the driver shows; and a card without a driver."""
    gpus = find_gpus()
    for gpu in gpus.found:
        yield ok("GPU", f"{gpu.number}: {gpu.name}, CUDA {gpus.driver}")
    if not gpus.found and nvidia_cards():
        advice = "install NVIDIA's driver; in a container, start it with access to the GPU"
        yield note("GPU", f"this computer has an NVIDIA card, but {gpus.why_none}", advice)
    elif not gpus.found:
        yield ok("GPU", f"{gpus.why_none}: models run on the CPU")


def nvidia_cards(devices: Path = _PCI_DEVICES) -> int:
    """How many NVIDIA graphics or compute cards the PCI bus lists."""
    return sum(
        _first_word(device / "vendor") == _NVIDIA
        and _first_word(device / "class").startswith(_DISPLAY)
        for device in devices.glob("*")
    )


def _first_word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
