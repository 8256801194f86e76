"""The file of a data set: what it holds, and the hash of its content.

One HDF5 file; docs/reference/datasets.md describes it for other readers.
"""

import hashlib
from collections.abc import Mapping

import h5py
import numpy as np

FORMAT = "darkscan data set"
VERSION = 1
PIXELS = "pixels"
SOURCES = "sources"
MANIFEST = "manifest"

COLUMNS = {
    "labels": ("i1", (), "1 scratch, 0 background"),
    "source": ("<i4", (), "row of the image in /sources"),
    "origin": ("<i4", (2,), "first pixel in the image, y and x"),
    "method": ("S8", (), "how it was sampled"),
    "kind": ("S16", (), "shape of the scratch, or rarest distractor; empty: unknown"),
    "cnr": ("<f4", (), "amplitude over noise; NaN: unknown"),
    "length_px": ("<f4", (), "length of the scratch within the window less its rim"),
    "snr": ("<f4", (), "matched filter's signal-to-noise; NaN: unknown"),
    "boxes": ("<f4", (4,), "x0, y0, x1, y1 around the scratch pixels, window pixels"),
    "lines": ("u1", (32, 32), "1 where a centre line runs through the cell of 8 px"),
}
"""Each column's type, shape of a row, and meaning."""


def digest_of(dataset: h5py.Dataset) -> str:
    """The SHA-256 of a dataset's elements in C order, little-endian, read part by part."""
    digest = hashlib.sha256()
    step = 256
    for first in range(0, len(dataset), step):
        digest.update(np.ascontiguousarray(dataset[first : first + step]).tobytes())
    return digest.hexdigest()


def content_hash(manifest: str, sources: str, digests: Mapping[str, str]) -> str:
    """The hash of a data set: of its manifest, its sources and each dataset's digest."""
    lines = [manifest, sources, *(f"{name} {digests[name]}" for name in sorted(digests))]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def hash_of_file(file: h5py.File) -> str:
    """Computes the hash anew from everything in the file."""
    splits = [name for name in file if name != SOURCES]
    digests = {
        f"{split}/{name}": digest_of(dataset)
        for split in splits
        for name, dataset in file[split].items()
    }
    return content_hash(file.attrs[MANIFEST], sources_text(file[SOURCES]), digests)


def sources_text(table: h5py.Group) -> str:
    """The table of sources as text, a line a source."""
    rows = zip(table["name"].asstr()[:], table["sha256"].asstr()[:], strict=True)
    return "\n".join(f"{name} {digest}" for name, digest in rows)
