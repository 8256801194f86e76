"""The contact sheet of a data set, laid out as the paper's Figure 6."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._reader import Dataset, WindowSet
from darkscan.network.datasets.rule import BACKGROUND, SCRATCH, WINDOW_PX
from darkscan.network.pictures import equalised
from darkscan.pipeline.core.files import write_atomically

Picture = npt.NDArray[np.uint8]

_GAP_PX = 6
_CAPTION_PX = 18
_TITLE_PX = 30
_PAPER = 255
_INK = 0
_NAMES = {SCRATCH: "scratch", BACKGROUND: "background"}


def contact_sheet(dataset: Dataset, columns: int = 6, seed: int = 1) -> Picture:
    """Windows of each split and class, each raw and beside it equalised: (H, W) uint8.

    ``columns`` windows a row, drawn with ``seed``; two rows a split, scratches above.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name in dataset.splits:
        windows = dataset.split(name)
        for label, kind in _NAMES.items():
            of_class = np.flatnonzero(windows.labels == label)
            title = f"{name}: {kind}, {len(of_class)} windows; raw, and equalised beside it"
            chosen = np.sort(rng.permutation(of_class)[:columns])
            rows.append(_row(windows, chosen, title, columns))
    return np.vstack(rows)


def save_sheet(sheet: Picture, path: Path) -> None:
    """Writes a sheet as PNG. Raises StorageError."""
    _, packed = cv2.imencode(".png", sheet)
    write_atomically(path, packed.tobytes())


def _row(windows: WindowSet, chosen: npt.NDArray[np.intp], title: str, columns: int) -> Picture:
    pair = 2 * WINDOW_PX + _GAP_PX
    height = _TITLE_PX + WINDOW_PX + _CAPTION_PX + _GAP_PX
    row = np.full((height, columns * (pair + _GAP_PX) + _GAP_PX), _PAPER, np.uint8)
    _write(row, title, _GAP_PX, _TITLE_PX - 9, 0.6)
    scale = 255.0 / windows.full_scale
    for place, (index, image) in enumerate(zip(chosen, windows.images(chosen), strict=True)):
        left = _GAP_PX + place * (pair + _GAP_PX)
        raw = np.clip(np.rint(image * scale), 0, 255).astype(np.uint8)
        for picture, x in ((raw, left), (equalised(image), left + WINDOW_PX + 2)):
            row[_TITLE_PX : _TITLE_PX + WINDOW_PX, x : x + WINDOW_PX] = picture
        caption = _caption(windows, int(index))
        _write(row, caption, left, _TITLE_PX + WINDOW_PX + _CAPTION_PX - 5, 0.42)
    return row


def _caption(windows: WindowSet, index: int) -> str:
    """The facts about a window in a line; the font has only ASCII."""
    parts = [str(windows.kind[index]), str(windows.method[index])]
    if windows.labels[index] == SCRATCH:
        parts.append(f"{windows.length_px[index]:.0f} px")
        if not np.isnan(windows.cnr[index]):
            parts.append(f"CNR {windows.cnr[index]:.1f}, SNR {windows.snr[index]:.0f}")
    y, x = windows.origin[index]
    source = str(windows.source[index]).encode("ascii", "replace").decode()
    return ", ".join([*filter(None, parts), f"{source[-24:]} ({x}, {y})"])


def _write(picture: Picture, text: str, x: int, y: int, size: float) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, (x, y), font, size, _INK, 1, cv2.LINE_AA)
