"""Results that are the same but for rounding, on any processor and with any number of threads."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

EPSILON = float(np.finfo(np.float32).eps)

_A_LAYER = 16
"""Rounding errors of a sum of some 256 products of either sign: the root of their number."""

Values = npt.NDArray[np.floating] | Tensor


def assert_same_but_for_rounding(found: Values, expected: Values, *, layers: int = 32) -> None:
    """Asserts that two ways through the same float32 arithmetic differ in rounding alone.

    Each of ``layers`` sums products. Processors, libraries and numbers of threads sum them in
    orders of their own, which moves a result by a few float32 epsilons of its size, and the next
    layer passes that on. Where large values cancel, their error stays: so the largest value
    counts, or 1, the size to which normalization brings values, if that is more.
    """
    right = _plain(expected)
    size = max(1.0, float(np.abs(right).max(initial=0.0)))
    allowed = layers * _A_LAYER * EPSILON * size
    np.testing.assert_allclose(_plain(found), right, rtol=0, atol=allowed)


def _plain(values: Values) -> npt.NDArray[np.floating]:
    return values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)
