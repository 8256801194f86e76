"""The description of a rig's scan under way, for the processes that carry it out."""

from pathlib import Path
from typing import Self

from pydantic import ValidationError

from darkscan.drivers.planning.plan import ScanPlan
from darkscan.drivers.rig import Geometry, Rig
from darkscan.pipeline.configuration import Settings
from darkscan.pipeline.errors import InputError

_NAME = "scan.json"


class LiveScan(Settings):
    """A rig, how its places are measured, and the plan it carries out."""

    rig: Rig
    rig_file: Path
    """Named in errors."""

    geometry: Geometry
    corrects: bool = True
    """Whether frames are corrected by the rig's flat field, if it has one."""

    forced: bool = False
    """Whether an expired or foreign calibration is used all the same."""

    plan: ScanPlan

    def write(self, run_dir: Path) -> None:
        """Leaves the description where ``read`` finds it."""
        (run_dir / _NAME).write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Reads what ``write`` left. Raises InputError if the run is no rig's scan."""
        path = run_dir / _NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"holds no scan of a rig: {error.strerror}", file=run_dir) from error
        except ValidationError as error:
            raise InputError("holds no scan of a rig", file=path) from error
