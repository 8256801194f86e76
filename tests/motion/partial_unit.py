"""A motion unit whose records lack fields, those named in LACKS; X's EGU is that of UNIT."""

import os
import sys

from darkscan.simulation.rig import motion_unit
from darkscan.simulation.rig._unit_process import MotionUnitSettings


class PartialUnit(motion_unit.MotionUnit):
    """Serves less than it could."""

    def __init__(self, settings: MotionUnitSettings) -> None:
        super().__init__(settings)
        for field in os.environ["LACKS"].split():
            for axis in "XYZ":
                del self.channels[f"TEST:{axis}.{field}"]


if __name__ == "__main__":
    motion_unit.MotionUnit = PartialUnit  # type: ignore[misc]
    sys.exit(motion_unit.main())
