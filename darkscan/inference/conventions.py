"""The conventions that a model file states of itself: window, stride, scaling and threshold.

``Conventions.fit`` is the one place where a model's conventions and a recipe decide the window,
stride and thresholds of a run; everything else reads them from the ModelInfo that it gives.
"""

from hashlib import sha256
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.core.inputs import read_file
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.settings import Settings, check

FORMAT_VERSION = 1
INPUTS = ("frame", "origins", "gains", "offsets", "full_scale")
_PREFIX = "darkscan."

Precision = Literal["exact", "half"]
"""Float arithmetic as the model file has it, or in 16 bits where a device is faster with them."""


def file_hash(file: Path) -> str:
    """Names a model file by its content. Raises InputError if it cannot be read."""
    return "sha256:" + sha256(read_file(file)).hexdigest()


class Conventions(Settings):
    """The conventions in an ONNX file's metadata, and the hash of the whole file."""

    name: str
    window: int = Field(gt=0)
    stride: int = Field(gt=0)
    form: Literal["windowed", "dense"] = "windowed"
    """Whether each window passes the network by itself, or the whole frame once."""

    precision: Literal["float32", "int8"] = "float32"
    """The number type of the convolutions."""

    quantised_for: Literal["cpu", "tensorrt"] | None = None
    """The target that an eight-bit file was made for."""

    threshold: float = Field(gt=0, lt=1)
    grow_threshold: float | None = Field(default=None, gt=0, lt=1)
    cell_kinds: bool = False
    """Whether it tells the kind of each cell."""

    hash: str

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], *, file: Path) -> Self:
        """Reads the file's ``darkscan.*`` entries. Raises InputError if they are not there."""
        values = {k.removeprefix(_PREFIX): v for k, v in metadata.items() if k.startswith(_PREFIX)}
        if "format" not in values:
            raise InputError("is no darkscan model: it has no darkscan.format", file=file)
        if values["format"] != str(FORMAT_VERSION):
            problem = f"is version {values['format']!r:.20}, this darkscan reads {FORMAT_VERSION}"
            raise InputError(problem, file=file, field="darkscan.format")
        known = {key: values[key] for key in cls.model_fields if key in values}
        content = known | {"hash": file_hash(file)}
        return check(content, cls, file=file)

    def fit(self, inspection: Inspection, *, file: Path) -> ModelInfo:
        """The model as a recipe uses it: the recipe's thresholds and stride go before the model's.

        Raises InputError if the recipe has other windows or a coarser stride than the model.
        """
        for field in ("window", "stride"):
            wanted, given = getattr(inspection, field), getattr(self, field)
            # A finer stride than the model's is only more work; another window is another model.
            if (field == "window" and wanted != given) or wanted > given:
                problem = f"the model has {field} {given}, the recipe wants {wanted}"
                raise InputError(problem, file=file, field=f"darkscan.{field}")
        threshold = inspection.threshold or self.threshold
        grow_threshold = inspection.grow_threshold or self.grow_threshold or threshold
        return ModelInfo(
            name=self.name,
            hash=self.hash,
            window=self.window,
            stride=inspection.stride,
            threshold=threshold,
            grow_threshold=min(grow_threshold, threshold),
            dense=self.form == "dense",
            kinds=self.cell_kinds,
            int8=self.precision == "int8",
        )
