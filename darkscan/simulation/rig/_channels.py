"""Process variables of the simulated motion unit, in a few words of caproto's."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import caproto

_NS = 1_000_000_000
_UNIX_TO_EPICS_S = 631_152_000

Channel = Any
"""An instance of caproto's ChannelData."""

Put = Callable[[Any], Awaitable[None]]
"""A put function is given the value that a client wrote; it may raise ``KeepOldValue``."""

KeepOldValue = caproto.SkipWrite


def number(value: float, on_put: Put | None = None, **options: Any) -> Channel:
    """A channel that holds a double."""
    return _channel(caproto.ChannelDouble(value=float(value), **options), on_put)


def whole(value: int, on_put: Put | None = None, **options: Any) -> Channel:
    """A channel that holds an integer."""
    return _channel(caproto.ChannelInteger(value=int(value), **options), on_put)


def text(value: str, on_put: Put | None = None) -> Channel:
    """A channel that holds a string of up to 40 characters."""
    return _channel(caproto.ChannelString(value=value), on_put)


def choice(value: str, choices: Sequence[str], on_put: Put | None = None) -> Channel:
    """A choice between words; the put function is given the word."""
    channel = caproto.ChannelEnum(value=value, enum_strings=list(choices))

    async def verify(written: Any) -> str:
        # A client may write the word or its number.
        word = written if isinstance(written, str) else choices[int(written)]
        if on_put is not None:
            await on_put(word)
        return word

    channel.verify_value = verify
    return channel


def refusing(channel: Channel, refuses: Callable[[], bool]) -> None:
    """Has a channel refuse what clients write, as long as ``refuses`` says so."""
    accept = channel.verify_value

    async def verify(value: Any) -> Any:
        if refuses():
            raise PermissionError("puts are disabled (DISP)")
        return await accept(value)

    channel.verify_value = verify


def waveform(longest: int) -> Channel:
    """Up to ``longest`` doubles, none at first."""
    return caproto.ChannelDouble(value=[], max_length=longest, max_subscription_backlog=8)


async def post(channel: Channel, value: Any, time_ns: int) -> None:
    """Sets a value as of a time (CLOCK_REALTIME, ns) and tells those who watch it."""
    seconds, nanoseconds = divmod(time_ns, _NS)
    await channel.write(
        value,
        verify_value=False,
        update_fields=False,
        timestamp=(seconds - _UNIX_TO_EPICS_S, nanoseconds),
    )


async def post_changed(channel: Channel, value: Any, time_ns: int) -> None:
    """Like ``post``, where the value is another."""
    if channel.value != value:
        await post(channel, value, time_ns)


def _channel(channel: Channel, on_put: Put | None) -> Channel:
    if on_put is not None:

        async def verify(value: Any) -> Any:
            await on_put(value)
            return value

        channel.verify_value = verify  # caproto's hook for what a client writes
    return channel
