from __future__ import annotations

import torch

from baselines.words import NO_WORD, MeanOfWords, Words
from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset


def test_a_query_s_number_is_its_row_and_no_query_has_no_words(tiny: Dataset) -> None:
    words = Words.learn(tiny.train)
    queries = Queries(("a", "b"), ("drama", "unheard-of ☃"), ("given",) * 2)
    rows = words.of_queries(queries, 8)
    assert (rows[-1] == NO_WORD).all()
    assert rows[0].tolist()[:1] == words.rows(["Drama"], 8)[0].tolist()
    assert (rows[1] != NO_WORD).any()
    again = Words.from_json(words.to_json())
    assert len(again) == len(words) > 3
    assert (again.of_queries(queries, 8) == rows).all()


def test_texts_are_cut_and_the_cut_is_the_beginning(tiny: Dataset) -> None:
    words = Words.learn(tiny.train)
    whole, cut = (
        words.rows(["drama comedy western"], 99)[0],
        words.rows(["drama comedy western"], 2)[0],
    )
    assert len(cut) == 2
    assert whole[:2].tolist() == cut.tolist()


def test_the_mean_counts_real_words_only() -> None:
    mean = MeanOfWords(5, 4)
    table = mean.table.weight
    found = mean(torch.tensor([[1, 3, NO_WORD], [NO_WORD, NO_WORD, NO_WORD]]))
    torch.testing.assert_close(found[0], (table[1] + table[3]) / 2)
    assert (found[1] == 0).all()
