"""A GenTL producer, and a camera found through it."""

import ctypes
import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from genicam import gentl

from darkscan.drivers.camera._bindings import GENICAM_ERRORS, said
from darkscan.drivers.rig import SIMULATED, SIMULATED_PRODUCER, CameraSettings
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import require_file

with warnings.catch_warnings():  # harvesters changes the process's filters when imported
    from harvesters.core import (
        Callback,
        Harvester,
        ImageAcquirer,
        ParameterKey,
        ParameterSet,
    )

_NEVER_S = 1e9
_IN_USE = (gentl.AccessDeniedException, gentl.ResourceInUseException)

# harvesters logs what it raises as well, and that cameras lose frames.
_unheard = logging.getLogger("darkscan.harvesters")
_unheard.addHandler(logging.NullHandler())
_unheard.propagate = False


def producer_file(settings: CameraSettings, file: Path | None) -> Path:
    """The producer's library. Raises InputError if it cannot be one.

    The simulated rig tells its own by the environment variable ``SIMULATED_PRODUCER``.
    """
    name = settings.producer
    if name == SIMULATED:
        name = os.environ.get(SIMULATED_PRODUCER, "")
        if not name:
            problem = "the simulated camera is there only while the simulated rig runs"
            raise InputError(problem, file=file, field="camera.producer")
    path = Path(name)
    try:
        require_file(path, absent="no such file")
    except InputError as error:
        problem = f"{error.problem}: {path}"
        raise InputError(problem, file=file, field="camera.producer") from error
    try:
        # The bindings crash on a library that is no producer. It stays loaded: producers with
        # threads of their own do not survive being unloaded.
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        problem = f"{path} is no GenTL producer: {error}"
        raise InputError(problem, file=file, field="camera.producer") from error
    if not (hasattr(library, "GCInitLib") and hasattr(library, "TLOpen")):
        raise InputError(f"{path} is no GenTL producer", file=file, field="camera.producer")
    return path


class Connection:
    """A camera opened through harvesters; closing lets go of it and of the producer."""

    def __init__(self, settings: CameraSettings, file: Path | None) -> None:
        """Raises InputError: no producer, no camera, several, another serial number, in use."""
        self._stack = ExitStack()
        try:
            harvester = Harvester(config=ParameterSet({ParameterKey.LOGGER: _unheard}))
            self._stack.callback(_let_go, harvester)
            harvester.add_file(str(producer_file(settings, file)))
            harvester.update()
            device = _choose(harvester.device_info_list, settings, file)
            self.name = _name(device)
            self.numbers_from_1 = _property(device, "tl_type") == "GEV" or settings.id_wraps_at > 0
            self.acquirer: ImageAcquirer = self._open(harvester, device, settings.buffers, file)
        except BaseException:
            self.close()
            raise

    def on_incomplete(self, call: Callable[[], None]) -> None:
        """Calls for each incomplete buffer; harvesters hands those back by itself."""
        self.acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, _Calls(call))

    def close(self) -> None:
        """Stops and closes everything, gone or not."""
        self._stack.close()

    def _open(
        self, harvester: Harvester, device: Any, buffers: int, file: Path | None
    ) -> ImageAcquirer:
        config = ParameterSet(
            {
                ParameterKey.NUM_BUFFERS_FOR_FETCH_CALL: buffers,
                # Not for us, who say each time how long to wait; short ones log warnings.
                ParameterKey.TIMEOUT_PERIOD_ON_CLIENT_FETCH_CALL: _NEVER_S,
            }
        )
        try:
            with _interrupts_kept():
                acquirer = harvester.create(device, config=config)
        except GENICAM_ERRORS as error:
            held = ", another program may hold it" if isinstance(error, _IN_USE) else ""
            problem = f"{self.name} cannot be opened{held}: {said(error)}"
            raise InputError(problem, file=file, field="camera.serial") from error
        self._stack.callback(_destroy, acquirer)
        return acquirer


class _Calls(Callback):  # type: ignore[misc] # harvesters has no types
    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def emit(self, context: object = None) -> None:
        """Harvesters says that it happened."""
        del context
        self._call()


def _choose(devices: list[Any], settings: CameraSettings, file: Path | None) -> Any:
    """The camera that is meant. Raises InputError if that is none, or not clear."""
    serials = [_property(device, "serial_number") for device in devices]
    listed = ", ".join(_name(device) for device in devices)
    if not devices:
        raise InputError(f"{settings.producer} finds no camera", file=file, field="camera.producer")
    if not settings.serial:
        if len(devices) > 1:
            problem = f"which of {len(devices)} cameras? Found: {listed}"
            raise InputError(problem, file=file, field="camera.serial")
        return devices[0]
    if settings.serial not in serials:
        problem = f'no camera has the serial number "{settings.serial}". Found: {listed}'
        raise InputError(problem, file=file, field="camera.serial")
    return devices[serials.index(settings.serial)]


def _name(device: Any) -> str:
    parts = (_property(device, key) for key in ("vendor", "model", "serial_number"))
    return " ".join(part for part in parts if part)


def _property(device: Any, key: str) -> str:
    return str(device.property_dict.get(key) or "")


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Keeps SIGINT, which harvesters takes for itself, with the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _destroy(acquirer: ImageAcquirer) -> None:
    # As its context manager does: then it is not tried again when the interpreter exits.
    with suppress(*GENICAM_ERRORS):
        acquirer.__exit__(None, None, None)


def _let_go(harvester: Harvester) -> None:
    # One that could not be destroyed, because its camera is gone, would keep the others.
    harvester.image_acquirers.clear()
    with suppress(*GENICAM_ERRORS):
        harvester.reset()
