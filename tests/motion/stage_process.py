"""The motion stage as a process: ``python -m tests.motion.stage_process RUN SETTINGS``."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TypeVar

from darkscan.drivers.rig import MotionSettings
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import Halt, Message, Move, Sweep
from tests.motion.waiting import PATIENCE_S

MARGIN_S = 2.0
"""A move that takes so much longer than it should is a fault."""

MessageT = TypeVar("MessageT", bound=Message)


class StageProcess:
    """Starts the stage, and plays acquisition to it."""

    def __init__(self, run_dir: Path, settings: MotionSettings) -> None:
        self._inbox = Inbox(run_dir, "acquisition")
        self._outbox = Outbox(run_dir, "motion")
        self.heard: list[Message] = []
        """All that it has said."""
        file = run_dir / "settings.json"
        file.write_text(settings.model_dump_json(), encoding="utf-8")
        self._words = (run_dir / "stage.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.motion.stage_process", str(run_dir), str(file)],
            stderr=self._words,
            stdout=self._words,
            env={**os.environ, "PYTHONASYNCIODEBUG": "0"},
        )

    def send(self, order: Move | Sweep | Halt) -> None:
        """Gives an order."""
        self._outbox.send(order)

    def wait_for(self, kind: type[MessageT]) -> MessageT:
        """The next message of a kind that comes."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            message = self._inbox.next()
            if message is None:
                assert self.process.poll() is None, f"the stage has ended: {self.words}"
                assert time.monotonic() < deadline, f"no {kind.__name__}, but {self.heard}"
                self._inbox.socket.poll(50)
                continue
            self.heard.append(message)
            if isinstance(message, kind):
                return message

    def all_of(self, kind: type[MessageT]) -> list[MessageT]:
        """The messages of a kind that have come so far."""
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def words(self) -> str:
        """What it wrote to the terminal."""
        self._words.seek(0)
        return self._words.read().decode(errors="replace")

    def close(self) -> None:
        """Ends it. Nothing may have gone wrong unnoticed."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        words = self.words
        self._words.close()
        self._inbox.close()
        self._outbox.close()
        assert "Traceback" not in words, words
        assert "never retrieved" not in words, words


def _main(run_dir: Path, file: Path) -> None:
    from darkscan.pipeline.core.errors import DarkscanError
    from darkscan.pipeline.transport.station import Station
    from darkscan.stages.motion import Motion

    settings = MotionSettings.model_validate_json(file.read_bytes())
    station = Station(run_dir, "motion", 0)
    try:
        Motion(run_dir, settings, station, margin_s=MARGIN_S).run()
    except DarkscanError as error:
        print(f"darkscan: error: {error}")  # noqa: T201 - as the command line does
        sys.exit(error.exit_code)
    finally:
        station.close()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
