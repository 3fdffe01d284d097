from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gensar.engine import diagnostics
from gensar.engine.diagnostics import NEIGHBOURS, code_use, neighbours_kept


@given(st.integers(1, 6), st.integers(1, 5))
def test_codes_used_equally_have_their_number_as_perplexity(used: int, each: int) -> None:
    codes = np.repeat(np.arange(used), each)[:, None]
    (level,) = code_use(codes, (used + 2,))
    assert (level.codes, level.used) == (used + 2, used)
    assert level.perplexity == pytest.approx(used)


def test_an_unequal_use_has_a_lower_perplexity() -> None:
    codes = np.array([0] * 98 + [1, 2])[:, None]
    (level,) = code_use(codes, (3,))
    assert level.perplexity == pytest.approx(0.98**-0.98 * 0.01**-0.02, abs=1e-9)


@given(st.integers(NEIGHBOURS + 1, 30), st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_neighbours_are_counted_as_a_loop_would(items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, codes = rng.standard_normal((items, 3)), rng.integers(0, 3, (items, 2))
    found = neighbours_kept(torch.as_tensor(vectors), codes)
    for length in (1, 2):
        kept, chance = [], []
        for item in range(items):
            others = [o for o in range(items) if o != item]
            others.sort(key=lambda o, i=item: np.linalg.norm(vectors[o] - vectors[i]))
            same = [codes[o, :length].tolist() == codes[item, :length].tolist() for o in others]
            kept.append(np.mean(same[:NEIGHBOURS]))
            chance.append(np.mean(same))
        assert found[length - 1].kept == pytest.approx(np.mean(kept))
        assert found[length - 1].by_chance == pytest.approx(np.mean(chance))


def test_groups_that_lie_apart_keep_all_neighbours() -> None:
    group = np.repeat(np.arange(3), NEIGHBOURS + 1)
    vectors = torch.as_tensor(group[:, None] * 100.0 + np.linspace(0, 1, len(group))[:, None])
    (found,) = neighbours_kept(vectors, group[:, None])
    assert found.kept == 1
    assert found.by_chance == pytest.approx(NEIGHBOURS / (len(group) - 1))


def test_a_large_catalogue_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, 400)
    vectors = torch.as_tensor(np.eye(4)[group] * 3 + rng.standard_normal((400, 4)))
    (whole,) = neighbours_kept(vectors, group[:, None])
    monkeypatch.setattr(diagnostics, "SAMPLED", 150)
    (some,) = neighbours_kept(vectors, group[:, None])
    assert some.kept != whole.kept
    assert some.kept == pytest.approx(whole.kept, abs=0.05)


def test_too_few_items_have_no_neighbours() -> None:
    assert neighbours_kept(torch.zeros(NEIGHBOURS, 2), np.zeros((NEIGHBOURS, 1), int)) == ()
