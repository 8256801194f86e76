"""Model files by name: the shipped ones, and a user's own."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path

from darkscan.pipeline.recipe import DEFAULT_MODEL, SHIPPED_MODELS, Recipe


@contextmanager
def model_file(given: Path | str | None) -> Iterator[Path]:
    """A model file: a shipped one by its name (the default for None), else the one given.

    Shipped ones may have to be unpacked, and are there while the context lasts.
    """
    name = DEFAULT_MODEL if given is None else str(given)
    shipped = files("darkscan") / "models" / f"{name}.onnx"
    with as_file(shipped) if name in SHIPPED_MODELS else nullcontext(Path(name)) as path:
        yield path


@contextmanager
def model_of(recipe: Recipe) -> Iterator[Path]:
    """The recipe's model as a file."""
    with model_file(recipe.inspection.model) as path:
        yield path
