"""What the simulated motion unit's process is told: one JSON file."""

from pathlib import Path
from typing import Self

from pydantic import Field

from darkscan.drivers.rig.motion import MotionSettings
from darkscan.drivers.rig.simulation import SimulationSettings
from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.messages import Place
from darkscan.pipeline.storage import write_atomically

READY = b"ready\n"
"""What the process prints to standard output as soon as its records can be reached."""


class MotionUnitSettings(Settings):
    """The records to serve, and what moves behind them."""

    motion: MotionSettings
    """The rig file's: names of the records and process variables, speeds, limits."""

    simulation: SimulationSettings
    """The rig file's: noise of the positions, how much faster time runs."""

    illumination_switch: str = ""
    """The light's process variable; empty: there is none."""

    shared_rig: Path | None = Field(default=None)
    """The memory shared with the simulated camera; left out: nobody is told of movements."""

    start_mm: Place
    """Where the axes stand at first."""

    parent: int | None = None
    """The process ends when this one is gone; left out: only when it is told to."""

    def write(self, file: Path) -> None:
        """Leaves the settings where ``read`` finds them. Raises StorageError."""
        write_atomically(file, self.model_dump_json().encode())

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads what ``write`` wrote. Raises InputError."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=file) from error
        except ValueError as error:
            raise InputError(
                f"does not hold a motion unit's settings: {error}", file=file
            ) from error
