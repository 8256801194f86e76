"""Flat fields in HDF5 files."""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from darkscan.drivers.calibration._flat_field import BadPixels, FlatField
from darkscan.drivers.calibration._flat_measuring import FlatHeader
from darkscan.drivers.calibration._header import label
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.settings import check

FORMAT = "darkscan flat field"

_DATASETS = {
    "dark": (np.dtype(np.float32), "grey level", "mean dark level of each pixel"),
    "gain": (np.dtype(np.float32), "1", "by which light above the dark level is multiplied"),
    "bad": (np.dtype(np.int32), "pixel", "y, x of pixels that neighbours replace"),
}


def save_flat(path: Path, flat: FlatField, header: FlatHeader) -> None:
    """Writes a flat field, replacing an older file as a whole. Raises StorageError."""
    arrays = {"dark": flat.dark, "gain": flat.gain, "bad": flat.bad.places}
    text = header.model_dump_json()
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["header"] = text
        file.attrs["hash"] = _hash(text, arrays)
        for name, (dtype, units, meaning) in _DATASETS.items():
            dataset = file.create_dataset(name, data=arrays[name].astype(dtype))
            dataset.attrs["units"] = units
            dataset.attrs["meaning"] = meaning
    write_atomically(path, memory.getvalue())


def read_flat(path: Path, *, force: bool = False) -> tuple[FlatField, FlatHeader]:
    """Reads a flat field. Raises InputError for anything that ``save_flat`` did not write.

    One that was changed since is taken with ``force`` if it still makes sense.
    """
    content = io.BytesIO(read_file(path))
    try:
        with h5py.File(content, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f'is no "{FORMAT}"', file=path)
            text, stated = str(file.attrs["header"]), str(file.attrs["hash"])
            arrays = {name: _array(file, name, path) for name in _DATASETS}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError("is no flat field, or a damaged one", file=path) from error
    found = _hash(text, arrays)
    if found != stated and not force:
        raise InputError("was changed or damaged since it was made", file=path)
    header = check(_plain(text, path), FlatHeader, file=path)
    return _field(header, arrays, path, label(path, found)), header


def _field(header: FlatHeader, arrays: dict[str, Any], path: Path, name: str) -> FlatField:
    setup = header.setup
    shape = (max(1, setup.height), setup.width)
    dark, gain, bad = arrays["dark"], arrays["gain"], arrays["bad"]
    if dark.shape != shape or gain.shape != shape or bad.ndim != 2 or bad.shape[1] != 2:  # noqa: PLR2004
        raise InputError(f"holds maps of {gain.shape}, stated are {shape}", file=path)
    finite = np.isfinite(dark).all() and np.isfinite(gain).all() and (gain > 0).all()
    if not finite or (bad < 0).any() or (bad >= shape).any():
        raise InputError("holds values that no flat field has", file=path)
    return FlatField(dark, gain, BadPixels(bad, shape), bit_depth=setup.bit_depth, name=name)


def _array(file: h5py.File, name: str, path: Path) -> np.ndarray[Any, Any]:
    dataset = file[name]
    dtype = _DATASETS[name][0]
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != dtype:
        raise InputError(f"must hold {dtype}", file=path, field=name)
    return np.asarray(dataset[()])


def _plain(text: str, path: Path) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError("is not JSON", file=path, field="header") from error


def _hash(header: str, arrays: dict[str, Any]) -> str:
    whole = sha256(header.encode())
    for name in _DATASETS:
        values = arrays[name]
        whole.update(f"{name} {values.shape}".encode())
        whole.update(np.ascontiguousarray(values, _DATASETS[name][0]).tobytes())
    return "sha256:" + whole.hexdigest()
