"""aioca in the words of this driver: samples with the records' time, and who does not answer."""

import asyncio
import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aioca
from epicscorelibs.ca import cadef

from darkscan.drivers.motion.errors import MotionError, MotionGoneError

_NS = 1_000_000_000
_FAILURES = (aioca.CANothing, cadef.CAException, cadef.Disconnected)
# Of libca's caerr.h: type, read, write, count, read access, write access, conversion.
_REFUSALS = {114, 152, 160, 176, 368, 376, 400}
"""Answers that say no."""

_QUIET = cadef.exception_handler(lambda _arguments: None)

ANSWER_S = 3.0
"""A motion unit that answers does so within this time."""


@dataclass(frozen=True)
class Sample:
    """A value, and when the record took it (Unix time, ns)."""

    value: Any
    time_ns: int


def sample_of(value: Any) -> Sample:
    """A sample from aioca's value with time; its time as a float would be too coarse."""
    seconds, nanoseconds = value.raw_stamp
    return Sample(value, seconds * _NS + nanoseconds)


async def read(name: str) -> Sample:
    """Asks for a value and its time. Raises MotionGoneError, or MotionError: not to be read."""
    try:
        value = await aioca.caget(name, format=aioca.FORMAT_TIME, timeout=ANSWER_S)
    except _FAILURES as error:
        raise _trouble(name, error) from error
    return sample_of(value)


async def read_numbers(names: Sequence[str], *, seconds: float = ANSWER_S) -> list[float]:
    """Asks for numbers, all at once. Raises as ``read``."""
    numbers: list[float] = await asyncio.gather(*(_read_as(name, float, seconds) for name in names))
    return numbers


async def read_text(name: str) -> str:
    """Asks for a value in words. Raises as ``read``."""
    text: str = await _read_as(name, str)
    return text


async def read_fields(record: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Asks for fields of a record at once, each as float, str or Sample. Raises as ``read``."""
    values = await asyncio.gather(
        *(
            read(f"{record}.{field}") if kind is Sample else _read_as(f"{record}.{field}", kind)
            for field, kind in kinds.items()
        )
    )
    return dict(zip(kinds, values, strict=True))


async def _read_as(name: str, kind: type, seconds: float = ANSWER_S) -> Any:
    try:
        return kind(await aioca.caget(name, datatype=kind, timeout=seconds))
    except _FAILURES as error:
        raise _trouble(name, error) from error


async def missing(names: Sequence[str], *, seconds: float) -> list[str]:
    """Searches for process variables; gives those that nobody answers for in time."""
    found = await aioca.connect(list(names), timeout=seconds, throw=False)
    return [name for name, answer in zip(names, found, strict=True) if not answer.ok]


async def read_only(names: Sequence[str]) -> list[str]:
    """Those of some process variables, all found before, that this process may not write."""
    found = await aioca.cainfo(list(names), timeout=ANSWER_S, throw=False)
    return [name for name, info in zip(names, found, strict=True) if info.ok and not info.write]


async def write(name: str, value: Any, *, seconds: float | None = ANSWER_S) -> None:
    """Writes and waits until the write is carried out.

    Raises MotionGoneError, or MotionError: the write is refused.
    """
    try:
        await aioca.caput(name, value, wait=True, timeout=seconds)
    except _FAILURES as error:
        raise _trouble(name, error) from error


async def tell(name: str, value: Any) -> bool:
    """Writes without waiting for what follows from it; whether it could be sent.

    A motor record that is busy with a write that somebody waits for lets the next such
    write wait: only one like this stops it.
    """
    sent: aioca.CANothing = await aioca.caput(name, value, timeout=0.2, throw=False)
    return bool(sent)


def watch(
    name: str, on_sample: Callable[[Sample], None], on_gone: Callable[[], None]
) -> aioca.Subscription:
    """Calls ``on_sample`` for each value that the record posts, ``on_gone`` when it is lost."""

    def take(value: Any) -> None:
        if isinstance(value, aioca.CANothing):
            on_gone()
        else:
            on_sample(sample_of(value))

    return aioca.camonitor(
        name, take, format=aioca.FORMAT_TIME, all_updates=True, notify_disconnect=True
    )


def forget_all() -> None:
    """Closes every channel of this process; the next use searches for it anew, and at once."""
    aioca.purge_channel_caches()


def silence() -> None:
    """Keeps the client library from telling the terminal what its channels tell us."""
    aioca.get_channel_infos()  # makes the library's context, which the handler is for
    cadef.ca_add_exception_event(_QUIET, ctypes.c_void_p())


def _trouble(name: str, error: Exception) -> MotionError:
    """Tells a process variable that is gone from one that says no."""
    if isinstance(error, aioca.CANothing):
        status = error.errorcode
    elif isinstance(error, cadef.CAException):
        status = error.status
    else:
        status = cadef.ECA_DISCONN
    if status in _REFUSALS:
        return MotionError(f"{name} refuses: {cadef.ca_message(status)}")
    return MotionGoneError(f"the motion unit does not answer: {error}")
