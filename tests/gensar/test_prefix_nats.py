from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp

from tests.prefix_nats import parted


def test_prefix_and_rest_are_two_distributions_that_make_up_the_whole() -> None:
    rng = np.random.default_rng(0)
    log_probs = log_softmax(rng.normal(size=(3, 12)), axis=1)
    group = rng.permutation(np.repeat(np.arange(4), 3))
    whole, within = parted(log_probs, group)
    np.testing.assert_allclose(whole + within, log_probs)
    first = [int(np.flatnonzero(group == each)[0]) for each in range(4)]
    np.testing.assert_allclose(logsumexp(whole[:, first], axis=1), 0, atol=1e-12)
    for each in range(4):
        members = group == each
        np.testing.assert_allclose(logsumexp(within[:, members], axis=1), 0, atol=1e-12)
        assert np.ptp(whole[:, members], axis=1).max() == 0
