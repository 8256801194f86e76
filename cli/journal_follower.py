"""Reads merging's journal while merging writes it."""

from pathlib import Path

from darkscan.pipeline.journal import Settled, next_payload
from darkscan.pipeline.messages import WireError, decode
from darkscan.pipeline.results import FrameResult, NotInspected


class JournalFollower:
    """Frames in the order in which they were settled, each of them told once."""

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self._path = path
        self._read = 0

    def new_records(self) -> list[Settled]:
        """What was settled since the last call. A record that is not yet whole waits."""
        records: list[Settled] = []
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                while (payload := next_payload(file)) is not None:
                    record = decode(payload)
                    if isinstance(record, FrameResult | NotInspected):
                        records.append(record)
                    self._read = file.tell()
        except (OSError, WireError):
            # Not there yet, or none of ours: merging finds out, this is but a picture.
            return records
        return records
