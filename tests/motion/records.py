"""Process variables as a client that nobody here wrote sees them (caproto's own)."""

from collections.abc import Callable, Sequence
from typing import Any

from caproto import CaprotoError, ChannelType
from caproto.sync import client

_PATIENCE_S = 10.0
_ATTEMPTS = 4


def value_of(name: str) -> float:
    """A number."""
    return values_of(name)[0]


def values_of(name: str) -> list[float]:
    """A waveform."""

    def read() -> Sequence[float]:
        reading = client.read(
            name, data_type=ChannelType.DOUBLE, timeout=_PATIENCE_S, repeater=False
        )
        return list(map(float, reading.data))

    return list(_insist(read))


def put(name: str, value: Any, *, wait: bool = True) -> None:
    """Writes; with ``wait`` until the write is carried out."""
    _insist(lambda: client.write(name, value, notify=wait, timeout=_PATIENCE_S, repeater=False))


def _insist(call: Callable[[], Any]) -> Any:
    # Each call searches from a new port. Should that be the very one it searches at, it hears
    # nobody but itself.
    for _ in range(_ATTEMPTS - 1):
        try:
            return call()
        except CaprotoError:
            continue
    return call()
