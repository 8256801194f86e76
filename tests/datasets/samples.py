"""Small plates with one known scratch each, and every way to mark it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 560
LINE = ((60.0, 80.0), (300.0, 200.0))  # the scratch of every plate, x and y

Array = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def plate(seed: int, dtype: str = "uint8", side: int = SIDE) -> Array:
    """Noise about a dark level with a scratch along LINE."""
    rng = np.random.default_rng(seed)
    scale = 1 if dtype == "uint8" else 16
    levels = rng.normal(20, 1.5, (side, side)) + 30.0 * mask(side)
    return np.asarray(np.clip(levels, 0, 255) * scale, dtype=dtype)


def mask(side: int = SIDE) -> npt.NDArray[np.uint8]:
    """The pixels of LINE, 255 in a band of 5 px: (side, side)."""
    drawn = np.zeros((side, side), np.uint8)
    start, end = ((round(x), round(y)) for x, y in LINE)
    cv2.line(drawn, start, end, 1, 5)
    return drawn


def write_plates(folder: Path, count: int = 3, dtype: str = "uint8") -> list[Path]:
    """Plates plate-0.png and so on, with masks of the same name in masks/."""
    masks = folder / "masks"
    masks.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"plate-{number}.png"
        assert cv2.imwrite(str(path), plate(number, dtype))
        assert cv2.imwrite(str(masks / path.name), 255 * mask())
        paths.append(path)
    return paths


def write_labelme(image: Path, *shapes: dict[str, Any], **changes: Any) -> Path:
    """A labelme file beside ``image``; ``changes`` replace what it says of its picture."""
    file = image.with_suffix(".json")
    about = {"imagePath": image.name, "imageData": None, "imageWidth": SIDE, "imageHeight": SIDE}
    content = {"version": "5.0", "flags": {}, "shapes": shapes, **about, **changes}
    file.write_text(json.dumps(content))
    return file


def shape(kind: str = "linestrip", points: Any = LINE, label: str = "scratch") -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, "flags": {}}


def write_coco(images: list[Path], annotations: list[dict[str, Any]], **changes: Any) -> Path:
    """A COCO file beside images; ``changes`` are made to the entry of the first one."""
    file = images[0].parent / "coco.json"
    content: dict[str, Any] = {
        "images": [
            {"id": number, "file_name": image.name, "width": SIDE, "height": SIDE}
            for number, image in enumerate(images)
        ],
        "categories": [{"id": 1, "name": "scratch"}, {"id": 2, "name": "dust"}],
        "annotations": [
            {"id": number, "category_id": 1, "image_id": number, **annotation}
            for number, annotation in enumerate(annotations)
        ],
    }
    content["images"][0] |= changes
    file.write_text(json.dumps(content))
    return file
