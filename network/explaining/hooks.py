"""Listens to modules while a network runs."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

Listener = Callable[[nn.Module, tuple[Any, ...], Any], None]


@contextlib.contextmanager
def listening(network: nn.Module, listener: Listener) -> Iterator[None]:
    """Calls ``listener(module, inputs, output)`` after every module, in the order of running."""
    handles = [module.register_forward_hook(listener) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
