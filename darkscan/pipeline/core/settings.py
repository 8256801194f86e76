"""Reads TOML files into checked settings, and says in one line what is wrong with one."""

import difflib
import json
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.inputs import read_text

SettingsT = TypeVar("SettingsT", bound=BaseModel)


class Settings(BaseModel):
    """Base of everything a user writes: immutable, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Written(Settings):
    """Base of what a user writes in TOML, where numbers are numbers and texts are texts."""

    model_config = ConfigDict(strict=True)


def load_settings(path: Path, kind: type[SettingsT]) -> SettingsT:
    """Reads a TOML file. Raises InputError naming the file and the field."""
    text = read_text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", file=path) from error
    except RecursionError as error:
        raise InputError("is nested too deeply", file=path) from error
    return check(content, kind, file=path)


def check(content: object, kind: type[SettingsT], *, file: Path | str | None) -> SettingsT:
    """Checks plain data against a model. Raises InputError naming the first bad field."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(_problem(first, kind), file=file, field=field) from error


def updated(model: SettingsT, /, **changes: Any) -> SettingsT:
    """A copy of a model with some fields changed, checked as a whole like a new one.

    Pydantic's own ``model_copy(update=...)`` checks neither names nor values. Raises
    ValidationError, a ValueError, for a value that the model refuses, and TypeError for a
    field that it does not have.
    """
    unknown = changes.keys() - type(model).model_fields.keys()
    if unknown:
        raise TypeError(f"{type(model).__name__} has no field {', '.join(sorted(unknown))}")
    kept = {name: getattr(model, name) for name in model.model_fields_set}
    return type(model).model_validate(kept | changes)


def content_hash(content: object) -> str:
    """A sha256 of plain data, the same for equal content."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + sha256(canonical.encode()).hexdigest()


def _problem(error: ErrorDetails, kind: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        known = _known_fields(kind, error["loc"][:-1])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"
        return f"unknown key; {hint}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] in {"model_type", "dict_type"}:
        message = "must be a table"
    if error["type"] == "missing":
        return "is missing"
    # What our own checks say is whole; pydantic's words lack the value.
    return message if error["type"] == "value_error" else f"{message} (is {error['input']!r:.60})"


def _known_fields(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if isinstance(part, int):  # a place in a list, whose items are of the kind found before
            continue
        field = kind.model_fields.get(part)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            return []
        kind = inner
    return list(kind.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds, or a list of which it holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)
