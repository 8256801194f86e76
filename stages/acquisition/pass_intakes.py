"""Which intake a pass in motion needs, by how the rig measures places."""

from darkscan.drivers.motion.history import History
from darkscan.drivers.planning import LiveScan, Pass
from darkscan.drivers.planning.plan import AXES
from darkscan.pipeline.messages import Arrived
from darkscan.stages.acquisition.darkroom import Darkroom
from darkscan.stages.acquisition.fly import FlyIntake
from darkscan.stages.acquisition.intake import Intake
from darkscan.stages.acquisition.line import LineIntake

_TOLERANCE_PX = 5.0


class PassIntakes:
    """Begins the intake of each pass."""

    def __init__(self, scan: LiveScan, darkroom: Darkroom) -> None:
        self._scan = scan
        self._darkroom = darkroom

    def begin(self, the_pass: Pass, start: Arrived) -> Intake:
        """The intake of a pass whose axes stand still at its start."""
        rig, plan = self._scan.rig, self._scan.plan
        motion = rig.motion
        if plan.mode == "line":
            assert motion.encoder_step_um is not None, "the rig file is checked for it"
            sign = -1.0 if motion.encoder_axis_reversed else 1.0
            return LineIntake(
                self._darkroom,
                plan,
                the_pass,
                start,
                encoder_step_mm=sign * motion.encoder_step_um / 1000.0,
            )
        haste = 1.0 if rig.simulation is None else rig.simulation.time_scale
        return FlyIntake(
            self._darkroom,
            the_pass,
            axis=AXES[plan.axis],
            exposure_us=rig.camera.exposure_us,
            uncertainty_um=motion.uncertainty_um,
            history=History(motion.uncertainty_um) if motion.positions == "timestamps" else None,
            tolerance_mm=_TOLERANCE_PX * plan.info.pitch_um / 1000.0,
            counts_triggers=rig.camera.trigger_counter,
            period_s=plan.frame_step_mm / plan.velocity_mm_s / haste,
        )
