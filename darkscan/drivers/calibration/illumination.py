"""Switches the dark-field light off while dark frames are taken."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from darkscan.pipeline.core.errors import DarkscanError

_TIMEOUT_S = 5.0
_PROCESS_S = 30.0


@contextmanager
def darkened(switch: str) -> Iterator[None]:
    """Darkens by the process variable ``switch``, and lights again whatever happens.

    Raises DarkscanError if the switch cannot be written.
    """
    _write(switch, 0)
    try:
        yield
    finally:
        _write(switch, 1)


def _write(switch: str, value: int) -> None:
    # Channel Access reads its addresses once in a process: of its own, it reads today's.
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, switch, str(value)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROCESS_S,
            start_new_session=True,  # Ctrl-C must not keep the light from going on again
        )
    except subprocess.TimeoutExpired as error:
        raise DarkscanError(f"{switch}: the light cannot be switched: no answer") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DarkscanError(f"{switch}: the light cannot be switched: {last}")


async def _put(switch: str, value: int) -> None:
    from aioca import caput

    await caput(switch, value, wait=True, timeout=_TIMEOUT_S)


def main() -> None:
    """Writes one value: ``python -m ... SWITCH VALUE``."""
    switch, value = sys.argv[1:]
    asyncio.run(_put(switch, int(value)))


if __name__ == "__main__":
    main()
