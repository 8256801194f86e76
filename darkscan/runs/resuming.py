"""Goes on from an unfinished run: what it left beside its journal, and what that is bound to."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Self

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.settings import Settings, check, content_hash, updated
from darkscan.pipeline.running.results_folder import UNFINISHED_NAME, ResultsFolder
from darkscan.pipeline.running.specification import RecordingIdentity, RunSpec
from darkscan.pipeline.transport.messages import WIRE_VERSION

_MOST_RESUMPTIONS = 10_000
_SHOWN = 24
"""Characters of a value in an error: enough to tell two hashes apart."""


class Bound(Settings):
    """What decides a run's map: one goes on only where all of it is as it was."""

    darkscan: str
    """The version of darkscan."""

    wire: int
    """The version of the journal's messages."""

    recording: str
    """Hash of the recording's identity; empty: a rig is scanned."""

    plan: str
    """Hash of the rig and its plan; empty: a recording is replayed."""

    calibration: str
    """Hash of the rig's calibrations."""

    scan: str
    """Hash of the scan's description."""

    model: str
    """The model's hash."""

    threshold: float

    backend: str
    """What runs the model: another one may give other last digits."""

    picture: int
    """Pixels averaged into one of the picture's, along each axis."""

    recipe: str
    """The recipe's hash, as far as it decides what is found."""

    @classmethod
    def of(cls, spec: RunSpec) -> Self:
        """What a run is bound to."""
        identity = spec.recording_identity
        return cls(
            darkscan=version("darkscan"),
            wire=WIRE_VERSION,
            recording="" if identity is None else _named(identity),
            plan=spec.plan_hash,
            calibration=spec.calibration_hash,
            scan=content_hash(spec.scan.model_dump(mode="json")),
            model=spec.model.hash,
            threshold=spec.model.threshold,
            backend=spec.backend,
            picture=spec.thumbnail_scale,
            recipe=spec.recipe_hash,
        )

    def require(self, now: Self, *names: str, file: Path) -> None:
        """Raises InputError naming the first of the fields that is not as it was."""
        for name in names or type(self).model_fields:
            was, is_now = (str(getattr(each, name))[:_SHOWN] for each in (self, now))
            if was != is_now:
                problem = f"the unfinished run has {was or 'none'}, now it is {is_now or 'none'}"
                raise InputError(problem, file=file, field=name)


class Unfinished(Settings):
    """What a run leaves at its beginning, so that another can go on from its journal."""

    bound: Bound
    spec: RunSpec

    @classmethod
    def of(cls, spec: RunSpec) -> Self:
        """Of a run that begins."""
        return cls(bound=Bound.of(spec), spec=spec)

    @classmethod
    def read(cls, out: Path) -> Self:
        """Reads what the unfinished run in a folder left.

        Raises InputError naming the file and the field: there is no such run, another process
        still writes it, or it is another darkscan's.
        """
        ResultsFolder(out).require_unfinished()
        file = out / UNFINISHED_NAME
        try:
            content = json.loads(read_file(file))
        except ValueError as error:
            raise InputError(f"is no JSON: {error}", file=file) from error
        if not isinstance(content, dict):
            raise InputError("must be a table", file=file)
        _require_version(content.get("bound"), file)
        return check(content, cls, file=file)

    def content(self) -> bytes:
        """The file's content."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def go_on(self, prepared: RunSpec) -> RunSpec:
        """The run that goes on, prepared anew like one that begins, in the same folder.

        Raises InputError naming what is not as it was.
        """
        self.bound.require(Bound.of(prepared), file=prepared.out_dir / UNFINISHED_NAME)
        resumptions = self.spec.resumptions + 1
        if resumptions > _MOST_RESUMPTIONS:
            problem = f"was gone on with {self.spec.resumptions} times: run it anew"
            raise InputError(problem, file=prepared.out_dir, field="--resume")
        return updated(prepared, scan_id=self.spec.scan_id, resumptions=resumptions)


def _require_version(bound: object, file: Path) -> None:
    """Raises InputError for another darkscan's file, whatever else it holds."""
    now = {"darkscan": version("darkscan"), "wire": WIRE_VERSION}
    for name, is_now in now.items():
        was = bound.get(name) if isinstance(bound, dict) else None
        if was != is_now:
            problem = f"the unfinished run has {was or 'none'}, now it is {is_now}"
            raise InputError(problem, file=file, field=f"bound.{name}")


def _named(identity: RecordingIdentity) -> str:
    """Names a recording; where its checksums tell all, wherever it lies by now."""
    fields = identity.model_dump(mode="json")
    del fields["device"]  # another number may stand for the same disk after a power cut
    if not identity.modified_ns:
        del fields["inode"]
    return content_hash(fields)
