"""The targets: messages of links, recipes and models; recordings and images are beside."""

import random
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import msgpack

from darkscan.faults.fuzz._files import Images, Recordings
from darkscan.faults.fuzz._mutation import chance, changed_bytes, changed_tree, hostile
from darkscan.faults.fuzz._samples import sample
from darkscan.faults.fuzz._target import Target, TargetName
from darkscan.pipeline.core.recipe import Recipe, load_recipe
from darkscan.pipeline.core.wire import WireError
from darkscan.pipeline.host_link import messages as host_link
from darkscan.pipeline.transport import messages as transport

_SAMPLES = 8
"""Sound messages of each kind."""


class _Messages(Target):
    """Messages of links, kind by kind: each through the decoder, and back if it is accepted."""

    refusals = (WireError,)
    _version = transport.WIRE_VERSION
    _kinds: tuple[Any, ...] = get_args(transport.Message)
    _coders: tuple[tuple[Callable[[Any], bytes], Callable[[bytes], Any]], ...] = (
        (transport.encode, transport.decode),
    )

    @cached_property
    def _envelopes(self) -> list[dict[str, Any]]:
        """Sound messages, some of each kind."""
        rng = random.Random(0)  # noqa: S311 - repeatable, nothing secret
        return [
            {"v": self._version, "kind": kind.__name__, "body": sample(kind, rng)}
            for kind in self._kinds
            for _ in range(_SAMPLES)
        ]

    def sound(self) -> list[bytes]:
        return [self._packed(envelope) for envelope in self._envelopes]

    def draw(self, rng: random.Random) -> bytes:
        if chance(rng, 0.5):
            return super().draw(rng)
        envelope = dict(rng.choice(self._envelopes))
        for _ in range(rng.choice((1, 1, 2))):
            if chance(rng, 0.9):
                envelope["body"] = changed_tree(envelope["body"], rng)
            else:
                envelope[rng.choice(("v", "kind"))] = hostile(rng)
        return self._packed(envelope)

    def read(self, data: bytes) -> None:
        refused: WireError | None = None
        for encode, decode in self._coders:
            try:
                message = decode(data)
            except WireError as error:
                refused = error
                continue
            encode(message)
            return
        if refused is not None:
            raise refused

    @staticmethod
    def _packed(envelope: dict[str, Any]) -> bytes:
        packed: bytes = msgpack.packb(envelope)
        return packed


class _HostLink(_Messages):
    """Messages of the link to the host, and the contents of its parcels."""

    _version = host_link.HOST_WIRE_VERSION
    _kinds = get_args(host_link.LinkMessage) + get_args(host_link.Content)
    _coders = (
        (host_link.encode_link, host_link.decode_link),
        (host_link.encode_content, host_link.decode_content),
    )


class _Recipes(Target):
    """Recipes as TOML."""

    def sound(self) -> list[bytes]:
        lines = []
        for table, values in Recipe().model_dump(exclude_none=True).items():
            if isinstance(values, dict):
                lines.append(f"[{table}]")
                lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
        return ["\n".join(lines).encode(), b'name = "fast"\n[processes]\nworkers = 2\n']

    def draw(self, rng: random.Random) -> bytes:
        if chance(rng, 0.5):
            return super().draw(rng)
        lines = rng.choice(self.bases).split(b"\n")
        place = rng.randrange(len(lines))
        name = lines[place].partition(b"=")[0]
        depth = rng.choice((1, 50, 100_000))
        values = (_toml(hostile(rng)).encode("utf-8", "replace"), b"[" * depth, b"{a=" * depth)
        lines[place] = rng.choice((name + b"= " + rng.choice(values), b"[" * depth, b"", name))
        return b"\n".join(lines)

    def read(self, data: bytes) -> None:
        load_recipe(self._file(data, ".toml"))


class _Models(Target):
    """Model files: their conventions, as every run reads them first."""

    def sound(self) -> list[bytes]:
        from importlib.resources import files

        return [(files("darkscan") / "models" / "default-int8.onnx").read_bytes()]

    def draw(self, rng: random.Random) -> bytes:
        data = rng.choice(self.bases)
        # Names, shapes and metadata lie at both ends; most of what is between is weights.
        edge = rng.choice((len(data), 4096, 40_000))
        if chance(rng, 0.5):
            return changed_bytes(data[:edge], rng) + data[edge:]
        return data[: len(data) - edge] + changed_bytes(data[len(data) - edge :], rng)

    def read(self, data: bytes) -> None:
        from darkscan.inference import read_conventions

        read_conventions(self._file(data, ".onnx"))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


def target_of(name: TargetName, folder: Path, corpus: Sequence[bytes] = ()) -> Target:
    """The target of that name; its files lie in ``folder``."""
    kinds: dict[TargetName, type[Target]] = {
        "messages": _Messages,
        "host-link": _HostLink,
        "recordings": Recordings,
        "images": Images,
        "recipes": _Recipes,
        "models": _Models,
    }
    return kinds[name](folder, corpus)
