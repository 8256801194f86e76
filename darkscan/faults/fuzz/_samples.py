"""Sound messages of any kind, made from the kind's own declaration."""

import random
import re
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from darkscan.faults.fuzz._mutation import chance

_ATTEMPTS = 200
_TEXTS = ("x", "a scratch", "0123456789abcdef" * 2, "0123456789abcdef" * 4, "2026-01-31T12:00:00Z")
_BYTES = (b"\0" * 16, b"", b"pixels")
_ARRAY = re.compile(r"\(([\w, ]+)\) (?:of )?(u?int\d+|float\d+)?")
_PLAIN_ARRAY = ["uint8", [2, 2], b"\0" * 4]


def sample(kind: type[BaseModel], rng: random.Random) -> dict[str, Any]:
    """The fields of a message of this kind, as they go on the wire; one that is accepted.

    Raises ValueError if none was found: the declaration then says less than the checks.
    """
    problem = ""
    for _ in range(_ATTEMPTS):
        body = _Sampler(rng).fields(kind)
        try:
            kind.model_validate(body)
        except ValidationError as error:
            problem = str(error)
        else:
            return body
    raise ValueError(f"no sample of {kind.__name__} is accepted: {problem}")


class _Sampler:
    """Draws values by their types; arrays of one message have equally many rows."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rows = rng.choice((0, 1, 2))

    def fields(self, kind: type[BaseModel]) -> dict[str, Any]:
        return {
            name: self._value(field.annotation, field)
            for name, field in kind.model_fields.items()
            if field.is_required() or (chance(self._rng, 0.5) and not _is_record(field.annotation))
        }

    def _value(self, annotation: Any, field: FieldInfo | None) -> Any:
        supertype = getattr(annotation, "__supertype__", None)
        if supertype is not None:  # a NewType
            return self._value(supertype, field)
        if _is_record(annotation):
            return sample(annotation, self._rng)
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is None:
            return self._plain(annotation, field)
        return self._of_parts(origin, inner, field)

    def _of_parts(self, origin: Any, inner: Sequence[Any], field: FieldInfo | None) -> Any:
        if origin is np.ndarray:
            return self._array(field)
        if origin is Literal:
            return self._rng.choice(inner)
        if origin is Annotated:
            return self._value(inner[0], field)
        if origin in {Union, types.UnionType}:
            return self._value(self._rng.choice(inner), field)
        if origin is tuple and inner[-1] is Ellipsis:
            return [self._value(inner[0], None) for _ in range(self._rng.randrange(3))]
        return [self._value(part, None) for part in inner] if origin is tuple else {}

    def _plain(self, kind: Any, field: FieldInfo | None) -> Any:
        rng = self._rng
        low, high = _bounds(field, 0, 9)
        draws: dict[Any, Callable[[], Any]] = {
            bool: lambda: rng.choice((False, True)),
            int: lambda: rng.randint(low, high),
            float: lambda: rng.choice((1.0, 1.0, float(low), rng.uniform(low, high))),
            str: lambda: rng.choice(_TEXTS),
            bytes: lambda: rng.choice(_BYTES),
        }
        return draws[kind]() if kind in draws else None

    def _array(self, field: FieldInfo | None) -> list[Any]:
        """The array that a field's description says."""
        found = _ARRAY.match((field.description if field is not None else "") or "")
        if found is None or found[2] is None:
            return list(_PLAIN_ARRAY)
        sides = [side.strip() for side in found[1].split(",") if side.strip()]
        shape = [int(side) if side.isdecimal() else self._rows for side in sides]
        return [found[2], shape, np.zeros(shape, found[2]).tobytes()]


def _bounds(field: FieldInfo | None, low: int, high: int) -> tuple[int, int]:
    for bound in () if field is None else field.metadata:
        least, most = getattr(bound, "ge", None), getattr(bound, "le", None)
        low = low if least is None else int(least)
        high = high if most is None else int(most)
    return low, max(low, high)


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
