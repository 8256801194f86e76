"""Addresses of other computers, as people write them."""

import re

from darkscan.pipeline.core.errors import InputError

_HIGHEST_PORT = 65_535


def check_address(address: str, *, field: str) -> str:
    """Returns the address. Raises InputError unless it reads ``tcp://HOST:PORT``."""
    match = re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", address)
    if match is None or not 1 <= int(match[2]) <= _HIGHEST_PORT:
        raise InputError(f"must read tcp://HOST:PORT, is {address!a}", field=field)
    return address
