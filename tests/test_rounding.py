"""What counts as rounding, and what does not."""

import numpy as np
import pytest
import torch

from tests.rounding import assert_same_but_for_rounding

LOGITS = np.array([-25.0, 0.5, 3.0], np.float32)


def test_sums_in_another_order_are_the_same() -> None:
    terms = np.random.default_rng(0).normal(size=(256, 1000)).astype(np.float32)
    assert_same_but_for_rounding(terms.sum(0), terms[::-1].cumsum(0)[-1], layers=1)
    assert_same_but_for_rounding(LOGITS + np.float32(1.7e-5), LOGITS)


@pytest.mark.slow
def test_anything_more_is_not() -> None:
    with pytest.raises(AssertionError):
        assert_same_but_for_rounding(LOGITS + np.float32(0.01), torch.from_numpy(LOGITS))
