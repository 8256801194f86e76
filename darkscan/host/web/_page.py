"""The page's files, as its build wrote them: held in memory, found by their exact names."""

import gzip
import hashlib
import threading
from pathlib import Path
from typing import NamedTuple

ASSETS = Path(__file__).parent / "assets"
INDEX = "index.html"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PACKED = frozenset({".png", ".ico", ".woff2"})
"""Kinds of files that gzip makes no smaller."""


class Asset(NamedTuple):
    """A file of the page."""

    content: bytes
    gzipped: bytes | None
    kind: str
    etag: str


class Page:
    """The files of a folder. They are read when the folder's index is new, and else from memory.

    Whatever name is asked for is only looked up, so no name leads out of the folder.
    """

    def __init__(self, folder: Path = ASSETS) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, Asset] = {}
        self._read_at = -1

    def find(self, name: str) -> Asset | None:
        """The file of a name within the folder, ``js/page-1a2b.js``; None: there is none."""
        try:
            written = (self._folder / INDEX).stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            if written != self._read_at:
                self._files = dict(self._read())
                self._read_at = written
            return self._files.get(name)

    def _read(self) -> list[tuple[str, Asset]]:
        paths = [path for path in sorted(self._folder.rglob("*")) if path.is_file()]
        return [
            (path.relative_to(self._folder).as_posix(), _asset(path))
            for path in paths
            if path.suffix in _TYPES
        ]


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    gzipped = None if path.suffix in _PACKED else gzip.compress(content, 9, mtime=0)
    etag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    return Asset(content, gzipped, _TYPES[path.suffix], etag)
