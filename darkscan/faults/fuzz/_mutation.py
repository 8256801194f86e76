"""Changes to what is sound: values within a structure, or bytes."""

import random
from typing import Any

_HOSTILE: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**40, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.5, -0.0, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324),
    *("", "x" * 70_000, "[/]\x1b[2J\n", "\ud7ff\U0010ffff", b"", b"\xff" * 64),
    *([], {}, [[]], [0] * 1000, {"x": 1}, ["float32", [2**31, 2**31], b""]),
    *(["object", [1], b"\0" * 8], ["float64", [-1], b"\0" * 8], ["uint8", [0, 2**62], b""]),
)
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_BLOCK = 64


def chance(rng: random.Random, share: float) -> bool:
    """True in so many cases of all, 0 to 1."""
    return rng.random() < share


def hostile(rng: random.Random) -> Any:
    """A value that a reader may not expect."""
    return rng.choice(_HOSTILE)


def changed_tree(tree: Any, rng: random.Random) -> Any:
    """A structure of dicts, lists and values with one place changed; the old one stays."""
    if chance(rng, 0.15) or not isinstance(tree, dict | list) or not tree:
        return _nested(rng) if chance(rng, 0.1) else hostile(rng)
    if isinstance(tree, list):
        place = rng.randrange(len(tree))
        new = changed_tree(tree[place], rng)
        return rng.choice(
            (
                [*tree[:place], new, *tree[place + 1 :]],
                [*tree[:place], *tree[place + 1 :]],
                [*tree, tree[place]],
            )
        )
    key = rng.choice(list(tree))
    if chance(rng, 0.1):
        return {name: value for name, value in tree.items() if name != key}
    if chance(rng, 0.1):
        return {**tree, rng.choice(("x", "", "__class__")): hostile(rng)}
    return {**tree, key: changed_tree(tree[key], rng)}


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes with one to four changes: flips, numbers, runs taken out, doubled, or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change(changed, rng)
    return bytes(changed)


def _change(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    length = rng.randint(1, _BLOCK)
    match rng.randrange(7):
        case 0 | 1 if place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        case 2:
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(_NUMBERS) & (256**size - 1)
            data[place : place + size] = number.to_bytes(size, rng.choice(("big", "little")))
        case 3:
            del data[place : place + length]
        case 4:
            data[place:place] = data[place : place + length]
        case 5:
            data[place : place + length] = bytes(min(length, max(len(data) - place, 0)))
        case _ if chance(rng, 0.3):
            del data[place:]
        case _:
            data[place:place] = rng.randbytes(length)


def _nested(rng: random.Random) -> Any:
    tree: Any = 0
    for _ in range(rng.choice((10, 300))):
        tree = [tree]
    return tree
