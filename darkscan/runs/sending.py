"""Tells a host of a finished scan: of what lies in its folder of results, and in its recording."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import structlog
from pydantic import ConfigDict, Field

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import StageToElement
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.map_reading import map_file, read_map
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.settings import Settings, check
from darkscan.pipeline.host_link.messages import ScanBegan, ScanEnded, ScanId, Tile
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.running.living_scans import LivingScan
from darkscan.pipeline.running.results_folder import REPORT_NAME
from darkscan.pipeline.running.specification import RunFolder
from darkscan.pipeline.running.timings import TRACE_NAME
from darkscan.runs.delivery import put_map
from darkscan.runs.host_report import outcome_of
from darkscan.stages.uplink.began import plan_columns
from darkscan.stages.uplink.picture import Picture, pyramid_of
from darkscan.stages.uplink.words import utc, words

_log = structlog.get_logger(__name__)
_LONGEST_NAME = 200
_REVISIONS = 0

Show = Callable[[int, int], None]
"""Is told how many frames of the picture are done, of how many."""


class _Report(Settings):
    """What is read of a run.json; those of before there was a host have less."""

    model_config = ConfigDict(extra="ignore")

    scan_id: ScanId | None = None
    scan: ScanInfo | None = None
    stage_to_element: StageToElement | None = None
    recording: Path | None = None
    recorded_to: Path | None = None
    started: datetime | None = None
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class FinishedScan:
    """A folder of results, read and checked: what a host can be told of it."""

    def __init__(self, out: Path, recording: Path | None) -> None:
        """``recording``: of this scan; None: where run.json says, if it is there.

        Raises InputError that names the file and what is wrong with it.
        """
        self.folder = out
        self._map_file = map_file(out)
        self.map: DefectMap = read_map(out)
        self._report = _read_report(out / REPORT_NAME)
        content = read_file(self._map_file)
        self.scan_id: ScanId = self._report.scan_id or sha256(content).hexdigest()[:32]
        self.note = ""
        """Why there will be no picture."""
        self._recording = self._open(recording)

    def put(self, outbox: Outbox, show: Show) -> None:
        """Puts all of it into the outbox. Raises DarkscanError.

        The end of the scan is put in any case: what is interrupted lacks a part of its picture.
        """
        lock = LivingScan.of_the_dead(outbox.path, self.scan_id)
        if lock is None:
            problem = "its scan is under way, or another process is sending it"
            raise InputError(problem, file=self.folder)
        with lock:
            outbox.put(self.scan_id, self._began())
            files = (self._map_file, self.folder / REPORT_NAME, self.folder / TRACE_NAME)
            put_map(outbox, self.scan_id, *files)
            not_pictured = 0 if self._recording is None else self.map.ledger.mapped
            try:
                if self._recording is not None:
                    not_pictured = self._put_picture(self._recording, outbox, show)
            finally:
                outbox.put(self.scan_id, self._ended(not_pictured))

    def close(self) -> None:
        """Lets go of the recording."""
        if self._recording is not None:
            self._recording.close()

    def _open(self, given: Path | None) -> Recording | None:
        path = given or self._report.recording or self._report.recorded_to
        if path is None:
            self.note = "its run.json names no recording; --scan RECORDING gives one"
            return None
        try:
            recording = Recording(path)
        except InputError as error:
            if given is not None:
                raise
            self.note = f"{error}; --scan RECORDING gives another place"
            return None
        element, info = self.map.element, recording.info
        same = (element.name, element.side, tuple(element.size_mm)) == (
            info.element,
            info.side,
            tuple(info.element_size_mm),
        )
        if same and len(recording.frames) == self.map.ledger.captured:
            return recording
        recording.close()
        if given is not None:
            raise InputError(f"is not the recording of the map in {self.folder}", file=path)
        self.note = f"{path} holds another scan by now; --scan RECORDING gives another place"
        return None

    def _began(self) -> ScanBegan:
        found, recorded = self.map, self._recording
        scan = self._report.scan or (None if recorded is None else recorded.info)
        path = "" if recorded is None else str(recorded.path.resolve())
        return ScanBegan(
            element=words(found.element.name, _LONGEST_NAME),
            side=words(found.element.side, _LONGEST_NAME),
            element_size_mm=found.element.size_mm,
            region_mm=found.element.region_mm,
            pitch_um=found.scan.pitch_um,
            origin="sent",
            began=utc(self._started()),
            rig=words(found.scan.rig, _LONGEST_NAME),
            calibration=words(found.scan.calibration),
            recipe=words(found.recipe.name, _LONGEST_NAME),
            recipe_hash=found.recipe.hash,
            model=words(found.model.name, _LONGEST_NAME),
            model_hash=found.model.hash,
            window=found.recipe.window_px,
            stride=found.recipe.stride_px,
            threshold=found.model.threshold,
            grow_threshold=found.model.grow_threshold,
            recording=path,
            frame_shape=None if scan is None else scan.frame_shape,
            pixel_to_stage=None if scan is None else scan.pixel_to_stage,
            stage_to_element=self._report.stage_to_element,
            picture=None if scan is None else pyramid_of(scan),
            **plan_columns(() if recorded is None else recorded.frames),
        )

    def _ended(self, not_pictured: int) -> ScanEnded:
        outcome, reason = outcome_of(self.map)
        ended = self._started().timestamp() + self._report.seconds
        return ScanEnded(
            outcome=outcome,
            reason=reason,
            ended=utc(datetime.fromtimestamp(ended, UTC)),
            seconds=self._report.seconds,
            frames_not_pictured=not_pictured,
        )

    def _started(self) -> datetime:
        """When the scan began; of old folders, when the map was written."""
        if self._report.started is not None:
            return self._report.started.astimezone(UTC)
        return datetime.fromtimestamp(self._map_file.stat().st_mtime, UTC)

    def _put_picture(self, recording: Recording, outbox: Outbox, show: Show) -> int:
        """Makes the picture of the inspected frames; how many are missing from it."""
        info, frames = recording.info, recording.frames
        pyramid = pyramid_of(info)
        if pyramid is None:
            return 0
        left_out = {frame.frame for frame in self.map.coverage.frames_not_inspected}
        found = self._found_mm()
        pixels: Pixels = np.empty(info.frame_shape, info.dtype)
        back = np.linalg.inv(info.pixel_to_stage.matrix).T

        def put(tiles: Sequence[Tile]) -> None:
            outbox.put_tiles(self.scan_id, tiles)

        with RunFolder() as folder:
            picture = Picture(info, pyramid, frames, folder.path)
            for index, meta in enumerate(frames):
                if meta.frame in left_out or not meta.usable:
                    picture.leave_out(meta.frame, inspected=False)
                    continue
                try:
                    recording.read_into(index, pixels)
                except InputError as error:
                    _log.warning("frame cannot be pictured", frame=meta.frame, reason=str(error))
                    picture.leave_out(meta.frame, inspected=True)
                    continue
                own = (found - meta.position_mm[:2]) @ back
                shape = np.array(info.frame_shape[::-1])
                inside = ((own >= 0) & (own < shape)).all(axis=1)
                picture.show(meta, pixels, own[inside], put)
                picture.hand_on(put, revisions=_REVISIONS)
                show(index + 1, len(frames))
            picture.hand_on(put, revisions=_REVISIONS)
            return picture.not_pictured

    def _found_mm(self) -> Float64Array:
        """Places (P, 2) on the element where the map has something."""
        rings = [defect.outline for defect in self.map.defects]
        rings += [defect.centreline for defect in self.map.defects]
        rings += [ring for area in self.map.areas for ring in area.contour]
        points = [point for ring in rings for point in ring]
        return np.array(points, np.float64).reshape(-1, 2)


def _read_report(file: Path) -> _Report:
    """A run.json as far as it can be read; an empty one where there is none."""
    try:
        content = json.loads(read_file(file))
    except (InputError, ValueError):
        return _Report()
    if not isinstance(content, dict):
        return _Report()
    try:
        return check(content, _Report, file=file)
    except InputError as error:
        _log.warning("run.json is not understood", reason=str(error))
        return _Report()
