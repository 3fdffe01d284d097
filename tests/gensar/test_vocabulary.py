from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.learning.subwords import SPECIAL, train_tokenizer
from gensar.engine.vocabulary import END, PADDING, Vocabulary
from tests.gensar.support import random_identifiers, vocabulary_of

SIZES = st.tuples(
    st.lists(st.integers(1, 5), min_size=2, max_size=3),
    st.lists(st.integers(1, 5), max_size=1),
    st.lists(st.integers(1, 5), max_size=1),
)


def _vocabulary(sizes: tuple[list[int], list[int], list[int]]) -> Vocabulary:
    specific, *extra = sizes
    levels = [(4, 4, *specific, *more) for more in extra]
    return vocabulary_of(random_identifiers(9, (levels[0], levels[1])))


@given(SIZES)
@settings(max_examples=20, deadline=None)
def test_levels_share_no_token_but_the_shared_ones_and_fill_the_vocabulary(sizes) -> None:
    vocabulary = _vocabulary(sizes)
    ranges = [
        [vocabulary.level_range(kind, level) for level in range(len(of_kind))]
        for kind, of_kind in enumerate(vocabulary.identifiers.level_sizes)
    ]
    assert ranges[0][:2] == ranges[1][:2]
    distinct = [range(*r) for r in {*ranges[0], *ranges[1]}]
    numbers = sorted(itertools.chain.from_iterable(distinct))
    assert len(distinct) == len(ranges[0]) + len(ranges[1]) - 2
    behaviour = [vocabulary.rec, vocabulary.query, vocabulary.searched]
    text = list(range(vocabulary.text))
    assert text + behaviour + numbers == list(range(vocabulary.size))


@given(SIZES)
@settings(max_examples=20, deadline=None)
def test_tokens_lead_back_to_codes(sizes) -> None:
    vocabulary = _vocabulary(sizes)
    for kind, codes in enumerate(vocabulary.identifiers.codes):
        tokens = vocabulary.code_tokens(kind)
        starts = [vocabulary.level_range(kind, level)[0] for level in range(codes.shape[1])]
        stops = [vocabulary.level_range(kind, level)[1] for level in range(codes.shape[1])]
        np.testing.assert_array_equal(tokens - starts, codes)
        assert (tokens < stops).all()


def test_special_tokens_stand_where_t5_has_them() -> None:
    tokenizer = train_tokenizer(["drama comedy"], 40)
    wanted = {"<pad>": PADDING, "</s>": END, "<unk>": SPECIAL.index("<unk>")}
    assert {token: tokenizer.token_to_id(token) for token in wanted} == wanted


@given(st.text(max_size=20), st.integers(1, 5))
@settings(deadline=None)
def test_any_text_is_encoded_and_cut(text: str, longest: int) -> None:
    vocabulary = vocabulary_of(random_identifiers(3, ((2, 2, 2, 2), (2, 2, 2, 2))))
    whole, cut = vocabulary.encode([text], 1000), vocabulary.encode([text], longest)
    assert cut.values.tolist() == whole.values.tolist()[:longest]
    assert ((whole.values >= SPECIAL.index("<unk>")) & (whole.values < vocabulary.text)).all()


def test_pieces_are_written_without_the_tokenizer_s_marks() -> None:
    vocabulary = vocabulary_of(random_identifiers(3, ((2, 2, 2, 2), (2, 2, 2, 2))))
    pieces = vocabulary.pieces()
    assert len(pieces) == vocabulary.text
    assert {"drama", "which"} <= set(pieces)
    assert not any("\u2581" in piece for piece in pieces)
