"""The recipe: how an element is inspected, and how the processes share the work."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from darkscan.pipeline.core.settings import Written, content_hash, load_settings, updated

DEFAULT_MODEL = "default"
SHIPPED_MODELS = (DEFAULT_MODEL, "default-int8", "windowed")
"""Model files that come with darkscan, by name: dense, the same in eight bits, and the paper's
form, each window by itself."""


class Inspection(Written):
    """The settings that decide the defect map: equal values give equal maps."""

    window: int = Field(default=256, ge=32, le=4096)
    """Side of a window, pixels. The model must have been trained for it."""

    stride: int = Field(default=128, ge=8, le=4096)
    """Step from window to window, pixels. Half a window lets no scratch hide on a border."""

    model: str = Field(default=DEFAULT_MODEL, min_length=1)
    """The ONNX model: a path (relative ones start from the recipe's folder), or the name of one
    that comes with darkscan: "default" (the whole frame passes the network once),
    "default-int8" (the same in eight bits) or "windowed" (each window by itself)."""

    precision: Literal["exact", "half"] = "exact"
    """How the model's numbers are computed: as the file has them, or in half the digits where
    the backend is faster with these. That moves scores a little, on each backend and processor
    in its own way; OpenVINO does it for 8-bit cameras on CPUs with matrix units."""

    context_px: int = Field(default=0, ge=0, le=512, multiple_of=64)
    """How far a dense model sees into neighbouring frames taken before, pixels; 0: not."""

    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Windows of this score or more are scratches. Left out: the model's own threshold."""

    grow_threshold: float | None = Field(default=None, gt=0, lt=1)
    """Windows of this score or more continue a scratch that they overlap. Left out: the
    model's own. As high as threshold: nothing is continued."""

    @model_validator(mode="after")
    def _check(self) -> "Inspection":
        if self.stride > self.window:
            raise ValueError(
                f"stride {self.stride} is larger than window {self.window}: "
                "pixels between the windows would never be inspected"
            )
        if (
            self.threshold is not None
            and self.grow_threshold is not None
            and self.grow_threshold > self.threshold
        ):
            raise ValueError(
                f"grow_threshold {self.grow_threshold} is above threshold {self.threshold}"
            )
        return self


class Processes(Written):
    """How the work is shared; never changes what is found."""

    ring_slots: int = Field(default=8, ge=2, le=4096)
    """Frames the shared-memory ring holds between acquisition and merging."""

    workers: int = Field(default=1, ge=1, le=256)
    """Classification processes."""

    threads: int = Field(default=0, ge=0, le=1024)
    """Threads of each classification process; 0 shares the machine's cores among them."""

    backend: Literal["auto", "onnxruntime", "openvino", "torch", "tensorrt"] = "auto"
    """The backend of the model; "auto" is the fastest of those that work here."""

    devices: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(strict=False)] = ()
    """The GPUs that workers are shared among, by number; none named: all there are."""

    batch: int = Field(default=32, ge=1, le=1024)
    """Windows that go through a windowed network at once."""

    batch_wait_ms: float = Field(default=0.0, ge=0, le=10_000)
    """How long a worker may wait for more frames to fill a batch with; 0: not at all."""

    attempts: int = Field(default=2, ge=1, le=10)
    """A frame that fails so often is set aside and listed as not inspected."""

    restarts: int = Field(default=5, ge=0, le=1000)
    """A stage that dies so often without one more frame done ends the run."""

    resend_after_s: float = Field(default=120.0, gt=0, le=86400)
    """An unacknowledged frame that nobody works on is sent again after so long."""

    stage_timeout_s: float = Field(default=60.0, gt=0, le=86400)
    """A stage silent for so long is taken for dead and restarted; while it starts, a minute
    at least."""

    @model_validator(mode="after")
    def _check(self) -> "Processes":
        if self.restarts < self.attempts:
            raise ValueError(
                f"restarts {self.restarts} is less than attempts {self.attempts}: "
                "one bad frame would end the run before it is set aside"
            )
        return self


class Output(Written):
    """The look of the map's picture; never changes what is found."""

    picture_px: int = Field(default=2048, ge=64, le=4096)
    """The longer side of the element in defect-map.png, at most; a legend is below it."""


class Logging(Written):
    """The contents of the log file."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe events that are kept."""


class Recipe(Written):
    """A recipe file: tables [inspection], [processes], [output] and [logging]."""

    name: str = Field(default="default", min_length=1)
    """A name people know the recipe by."""

    inspection: Inspection = Inspection()
    processes: Processes = Processes()
    output: Output = Output()
    logging: Logging = Logging()


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe and makes its model's path absolute. Raises InputError."""
    recipe = load_settings(path, Recipe)
    model = recipe.inspection.model
    if model in SHIPPED_MODELS:
        return recipe
    absolute = str((path.parent / model).absolute())
    inspection = updated(recipe.inspection, model=absolute)
    return updated(recipe, inspection=inspection)


def inspection_hash(
    inspection: Inspection, *, model_hash: str, threshold: float, grow_threshold: float
) -> str:
    """Names what decides a map: windows, the model's content, the thresholds in force."""
    return content_hash(
        {
            "window": inspection.window,
            "stride": inspection.stride,
            "precision": inspection.precision,
            "context_px": inspection.context_px,
            "model": model_hash,
            "threshold": threshold,
            "grow_threshold": grow_threshold,
        }
    )
