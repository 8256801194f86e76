"""A run's description for all of its processes, and the folder in memory that they share.

The run folder lies in /dev/shm and holds the frame ring, the sockets and the run's
description. It is locked as long as its supervisor lives, so that what a killed run
left behind can be told from what is in use, and swept.
"""

import fcntl
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.names import is_text
from darkscan.pipeline.core.recipe import Recipe
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.settings import Settings, check
from darkscan.pipeline.core.shared_memory import SHARED_MEMORY
from darkscan.pipeline.host_link.messages import ScanId
from darkscan.pipeline.host_link.target import HostTarget

_SPEC_NAME = "run.json"
_LOCK_NAME = "lock"
RING_NAME = "ring"
_BEING_MADE_S = 60

Speed = Literal["max", "recorded"]


class RecordingIdentity(Settings):
    """Tells a recording from any other, and from itself once it was changed."""

    device: int
    inode: int
    size: int = Field(ge=0)
    """Bytes."""

    modified_ns: int = Field(ge=0)
    """When it was last written; 0 where checksums tell all that changes."""

    content: str
    """Hash of scan, plan and tables, the checksums of the pixels among them."""


class RunTask(Settings):
    """The task of a run: where its frames come from and where its results go."""

    out_dir: Path
    """The folder for the map."""

    recording: Path | None = None
    """The recording that is replayed; None: a rig is scanned, see the scan's own description."""

    recording_identity: RecordingIdentity | None = None
    """The recording as it was when the run began; it is held against it whenever it is opened."""

    frames: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """The numbers of the planned frames: results of others do not count. Empty: not known."""

    warnings: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """What the map has to say of where its frames come from, in words."""

    plan_hash: str = ""
    """Names the rig and the plan of its scan; empty: a recording is replayed."""

    calibration_hash: str = ""
    """Names the calibrations that a rig's scan uses."""

    resumptions: int = Field(default=0, ge=0, le=10_000)
    """How often the run in ``out_dir`` was gone on with, this run included; 0: it begins."""

    speed: Speed = "max"
    """A replay's: as fast as can be, or with the recorded times between frames."""

    record: Path | None = None
    """The recording that is made of a rig's scan."""

    inspects: bool = True
    """Whether frames are inspected, or only recorded."""

    rescans: int = Field(default=0, ge=0)
    """How often lost frames of a rig's scan are taken again."""


class RunSpec(RunTask):
    """One run as its stages read it from the run folder: the task, and how it is carried out."""

    scan_id: ScanId
    """Names this scan for ever, wherever its map goes."""

    recipe: Recipe
    recipe_hash: str
    model_path: Path
    model: ModelInfo
    """Owns window, stride and thresholds of the run: stages take them from here, not from the
    recipe, which may leave them to the model file."""

    scan: ScanInfo
    thumbnail_scale: int = Field(ge=1)
    """Pixels averaged into one of the picture's, along each axis."""

    backend: str
    """The backend of the model, the same for all workers and after every restart."""

    backend_reason: str = ""
    """Why it was chosen, and why others were not."""

    devices: Annotated[tuple[int, ...], Field(strict=False)] = ()
    """The GPUs that the workers are shared among, by number; none on the CPU."""

    remote_workers: str | None = None
    """Where workers on other computers may connect, tcp://HOST:PORT; None: nowhere."""

    remote_insecure: bool = False
    """Whether any worker may connect there, unencrypted; else only those with allowed keys."""

    host: HostTarget | None = None
    """The host that is told of the scan; None: none."""

    workers: int = Field(ge=0)
    """Classification processes on this computer."""

    threads: int = Field(ge=1)
    """Threads of each worker."""

    @staticmethod
    def require_text(path: Path, field: str) -> None:
        """Raises InputError for a name that is no text: the description is JSON."""
        if not is_text(str(path)):
            raise InputError("its name is no UTF-8 text: rename it", file=path, field=field)

    def write(self, run_dir: Path) -> None:
        """Leaves the description where ``read`` finds it."""
        (run_dir / _SPEC_NAME).write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Reads a run's description. Raises InputError if the folder holds no run."""
        path = run_dir / _SPEC_NAME
        try:
            return check(json.loads(path.read_bytes()), cls, file=path)
        except OSError as error:
            raise InputError(f"holds no run: {error.strerror}", file=run_dir) from error
        except ValueError as error:
            raise InputError(f"holds no run: {error}", file=path) from error


class RunFolder:
    """The run's folder in shared memory, locked until this process ends or closes it."""

    def __init__(self) -> None:
        sweep()
        token = secrets.token_hex(4)
        self.path = SHARED_MEMORY / f"{_prefix()}{token}"
        new = SHARED_MEMORY / f"{_prefix()}{token}.new"
        try:
            new.mkdir(mode=0o700)
            self._lock = os.open(new / _LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            new.rename(self.path)  # from here on it is swept when nobody holds the lock
        except OSError as error:
            raise StorageError(self.path, error) from error

    def close(self) -> None:
        """Removes the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sweep() -> None:
    """Removes the folders of this user's runs that no living process has locked."""
    for folder in abandoned():
        shutil.rmtree(folder, ignore_errors=True)


def abandoned() -> Iterator[Path]:
    """The folders of this user's runs that no living process has locked: killed runs left them.

    Each is locked by this process until the next is asked for.
    """
    for folder in SHARED_MEMORY.glob(f"{_prefix()}*"):
        try:
            if not _is_ours(folder.lstat()) or _is_being_made(folder):
                continue
            lock = os.open(folder / _LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        except OSError:
            continue  # gone meanwhile
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # in use
        else:
            yield folder
        finally:
            os.close(lock)


def _is_ours(status: os.stat_result) -> bool:
    """Whether it is a folder of this user's, and no link that a stranger laid there."""
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _is_being_made(folder: Path) -> bool:
    return bool(folder.suffix) and time.time() - folder.lstat().st_mtime < _BEING_MADE_S


def _prefix() -> str:
    return f"darkscan-{os.getuid()}-"
