"""A process that loads something for long says so, and is not taken for dead."""

import subprocess
import sys
from pathlib import Path

from darkscan.pipeline.transport.links import Inbox
from darkscan.pipeline.transport.messages import Status
from darkscan.pipeline.transport.station import SUPERVISOR

_LOADS = """
import sys, time
from pathlib import Path
from darkscan.pipeline.transport.station import Station
station = Station(Path(sys.argv[1]), "classification", 3)
with station.loading("the model"):
    time.sleep(1.8)
station.close()
"""


def test_signs_of_life_come_while_a_model_is_loaded(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, SUPERVISOR)
    try:
        subprocess.run([sys.executable, "-c", _LOADS, tmp_path], check=True, timeout=60)
        signs = [message for message in inbox.messages() if isinstance(message, Status)]
    finally:
        inbox.close()
    assert len(signs) >= 3
    assert {(sign.index, sign.loading) for sign in signs} == {(3, "the model")}
