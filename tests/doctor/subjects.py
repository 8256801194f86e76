"""What the doctor is asked to look at, in tests."""

from pathlib import Path

from darkscan.doctor import Finding, Level, Subject
from darkscan.pipeline.core.recipe import Recipe
from tests.conftest import REPOSITORY

MODEL = REPOSITORY / "darkscan" / "models" / "default.onnx"


def subject(out: Path, **fields: object) -> Subject:
    """The embedded recipe, with results below ``out``."""
    given: dict[str, object] = {"recipe": Recipe(), "model": MODEL, "out": out, **fields}
    return Subject(**given)  # type: ignore[arg-type]


def levels(found: list[Finding]) -> list[Level]:
    return [finding.level for finding in found]
