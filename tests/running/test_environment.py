from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmark.running.environment import forget_peak, peak_memory_mib

MILLIONS = 25_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_peak_is_that_of_what_came_since_it_was_forgotten() -> None:
    forget_peak()
    before = peak_memory_mib()
    block = np.ones(MILLIONS)
    size = block.nbytes / 2**20
    high = peak_memory_mib()
    assert high == pytest.approx(before + size, abs=20)
    del block
    assert peak_memory_mib() == pytest.approx(high, abs=5)
    forget_peak()
    assert peak_memory_mib() == pytest.approx(before, abs=20)
