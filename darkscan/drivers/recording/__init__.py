"""Recordings: scans kept in one HDF5 file each, see docs/reference/recordings.md."""

from darkscan.drivers.recording._holders import require_closed, why_not_opened
from darkscan.drivers.recording._overlap import FrameOverlap, frame_overlap
from darkscan.drivers.recording._reader import DamagedFrameError, Recording, name_frames
from darkscan.drivers.recording._save import save_recording
from darkscan.drivers.recording._verify import verify_frames
from darkscan.drivers.recording._writer import RecordingWriter
from darkscan.drivers.recording.superblock import is_hdf5
from darkscan.pipeline.core.files import atomically

__all__ = [
    "DamagedFrameError",
    "FrameOverlap",
    "Recording",
    "RecordingWriter",
    "atomically",
    "frame_overlap",
    "is_hdf5",
    "name_frames",
    "require_closed",
    "save_recording",
    "verify_frames",
    "why_not_opened",
]
