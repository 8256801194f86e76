"""Process variables as a client that nobody here wrote sees them (caproto's own)."""

from typing import Any

from caproto import ChannelType
from caproto.sync import client

_PATIENCE_S = 30.0


def value_of(name: str) -> float:
    """A number."""
    reading = client.read(name, data_type=ChannelType.DOUBLE, timeout=_PATIENCE_S, repeater=False)
    return float(reading.data[0])


def values_of(name: str) -> list[float]:
    """A waveform."""
    reading = client.read(name, data_type=ChannelType.DOUBLE, timeout=_PATIENCE_S, repeater=False)
    return [float(value) for value in reading.data]


def put(name: str, value: Any, *, wait: bool = True) -> None:
    """Writes; with ``wait`` until the write is carried out."""
    client.write(name, value, notify=wait, timeout=_PATIENCE_S, repeater=False)
