"""Reads a process variable as a stranger would: from a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping

_READ = """
import sys
from caproto import ChannelType
from caproto.sync.client import read
reading = read(sys.argv[1], data_type=ChannelType.DOUBLE, timeout=10, repeater=False)
print(float(reading.data[0]))
"""


def value_of(name: str, environment: Mapping[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _READ, name],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
    )
    return float(done.stdout)
