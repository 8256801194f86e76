"""aioca in the words of this driver: samples with the records' time, and who does not answer."""

import asyncio
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aioca
from epicscorelibs.ca import cadef

from darkscan.drivers.motion.errors import MotionGoneError

_NS = 1_000_000_000
_NO_ANSWER = (aioca.CANothing, cadef.CAException, cadef.Disconnected)

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
    """Asks for a value and its time. Raises MotionGoneError."""
    try:
        value = await aioca.caget(name, format=aioca.FORMAT_TIME, timeout=ANSWER_S)
    except _NO_ANSWER as error:
        raise _gone(error) from error
    return sample_of(value)


async def read_numbers(names: Sequence[str], *, seconds: float = ANSWER_S) -> list[float]:
    """Asks for numbers, all at once. Raises MotionGoneError."""
    try:
        return await asyncio.gather(*(_read_number(name, seconds) for name in names))
    except _NO_ANSWER as error:
        raise _gone(error) from error


async def _read_number(name: str, seconds: float) -> float:
    return float(await aioca.caget(name, datatype=float, timeout=seconds))


async def write(name: str, value: Any, *, seconds: float | None = ANSWER_S) -> None:
    """Writes and waits until the write is carried out. Raises MotionGoneError."""
    try:
        await aioca.caput(name, value, wait=True, timeout=seconds)
    except _NO_ANSWER as error:
        raise _gone(error) from error


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


def _gone(error: Exception) -> MotionGoneError:
    return MotionGoneError(f"the motion unit does not answer: {error}")
