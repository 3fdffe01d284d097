from __future__ import annotations

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data import word_index
from benchmark.data.analyser import analyse
from benchmark.data.word_index import index_texts, score_pairs

WORDS = ("lamp", "desk", "glass", "oak", "the", "漢字", "blue")
texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(texts, min_size=1, max_size=9).filter(lambda all_: any(map(any, analyse(all_)))),
    st.lists(texts, min_size=1, max_size=4),
    st.sampled_from([(1.5, 0.75), (1.2, 0.0), (0.3, 1.0)]),
    st.data(),
)
def test_scores_are_those_of_bm25s_to_the_last_bit(
    items: list[str], queries: list[str], how: tuple[float, float], data: st.DataObject
) -> None:
    k1, b = how
    theirs = bm25s.BM25(k1=k1, b=b)
    theirs.index(analyse(items), show_progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_index, "_TEXTS_AT_ONCE", 2)
        ours = index_texts(items, k1, b)
    terms = analyse(queries)
    expected = np.array(
        [theirs.get_scores(words) if words else np.zeros(len(items)) for words in terms]
    )
    found = np.array([ours.get_scores(words) if words else np.zeros(len(items)) for words in terms])
    assert found.tolist() == expected.tolist()
    some = st.lists(st.integers(0, len(items) - 1), min_size=3, max_size=3)
    rows = np.array([data.draw(some) for _ in queries])
    pairs = score_pairs(ours, terms, rows)
    assert pairs.dtype == np.float32
    assert pairs.tolist() == np.take_along_axis(expected, rows, axis=1).tolist()
    alike = (theirs.scores[name].dtype == ours.scores[name].dtype for name in ("data", "indices"))
    assert all(alike)
