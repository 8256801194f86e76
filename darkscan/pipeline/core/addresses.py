"""Addresses of other computers, as people write them."""

import re

from darkscan.pipeline.core.errors import InputError

_HIGHEST_PORT = 65_535


def check_address(address: str, *, field: str, any_port: bool = False) -> str:
    """Returns the address. Raises InputError unless it reads ``tcp://HOST:PORT``.

    ``any_port``: 0, "a free one", will do as port.
    """
    match = re.fullmatch(r"tcp://(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", address)
    if match is None or not (0 if any_port else 1) <= int(match[2]) <= _HIGHEST_PORT:
        raise InputError(f"must read tcp://HOST:PORT, is {address!a}", field=field)
    return address
