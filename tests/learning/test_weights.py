from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.learning.weights import arrays_of, count_weights, take_arrays


def _module() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_two_modules_share_one_set_of_arrays() -> None:
    first, second, again = _module(), _module(), _module()
    arrays = arrays_of(first, "first.") | arrays_of(second, "second.")
    take_arrays(again, arrays, "second.")
    for name, weight in second.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    assert count_weights(again) == 3 * 2 + 2 + 2 + 2


def test_a_missing_weight_is_an_error() -> None:
    arrays = arrays_of(_module())
    del arrays["0.bias"]
    with pytest.raises(RuntimeError, match="Missing"):
        take_arrays(_module(), arrays)
