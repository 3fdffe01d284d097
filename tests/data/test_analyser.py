"""Word search in any script, and what is said where no word is found."""

from __future__ import annotations

from itertools import pairwise

import bm25s
import numpy as np
import pytest
import regex
import Stemmer
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data import scripts
from benchmark.data.analyser import analyse, analyser_for
from benchmark.data.candidates import WordSearch
from benchmark.data.item_words import ItemWords
from benchmark.data.load import load_dataset
from benchmark.data.query_protocols import KnownItemProtocol, QueryProtocol
from benchmark.data.simulate_queries import simulate
from benchmark.data.unmatched import unmatched
from benchmark.data.word_index import TextWords
from tests.data.conftest import MakeFolder

FOUND = {
    "Chinese": ("红色木制椅子家用2", "椅子"),
    "Chinese beside Latin": ("Apple iPhone手机壳", "手机壳"),
    "Latin beside Chinese": ("Apple iPhone手机壳", "iphone"),
    "one Chinese character": ("红茶礼盒", "茶"),
    "traditional, beyond the first plane": ("𠮷野家牛丼", "𠮷野家"),
    "Japanese": ("ノートパソコンを買う", "パソコン"),
    "Japanese in narrow letters": ("ノートパソコン", "ﾊﾟｿｺﾝ"),
    "Japanese in separate marks": ("ガラスのかぎ", "カ\u3099ラス"),
    "wide Latin beside Japanese": ("ソニーＴＶ", "ソニー tv"),
    "Korean with an ending": ("무선이어폰을 샀다", "이어폰"),
    "Korean in single letters": ("무선이어폰", "\u110b\u1175\u110b\u1165\u1111\u1169\u11ab"),
    "Thai": ("รองเท้าวิ่งผู้ชาย", "รองเท้า"),
    "Lao": ("ພາສາລາວ", "ພາສາ"),
    "Khmer": ("ភាសាខ្មែរ", "ខ្មែរ"),
    "Burmese": ("မြန်မာစာ", "မြန်မာ"),
    "Hindi": ("लाल कुर्सी घर", "कुर्सी"),
    "Tamil": ("சிவப்பு நாற்காலி", "நாற்காலி"),
    "Russian": ("красный стул", "стул"),
    "Greek": ("κόκκινη καρέκλα", "καρέκλα"),
    "Arabic": ("كرسي أحمر", "كرسي"),
    "Hebrew": ("כיסא אדום", "כיסא"),
    "German": ("Küchenstühle aus Holz", "küchenstühle"),
    "German in separate marks": ("Ku\u0308chenstu\u0308hle aus Holz", "küchenstühle"),
    "Vietnamese in separate marks": ("Tiếng Việt", "Tie\u0302\u0301ng"),
    "Turkish capital": ("İstanbul haritas\u0131", "istanbul"),
    "wide Latin alone": ("\uff2e\uff49\uff4b\uff45 靴", "\uff2e\uff49\uff4b\uff45"),
    "a mark without composed form": ("Beto\u0303x\u0302ka", "beto\u0303x\u0302ka"),
    "a unit beside Japanese": ("100㎖ 牛乳", "100㎖"),
}
OTHER = ["blue lamp", "青い電話", "绿灯泡", "전화기", "โทรศัพท์", "दीपक पीला", "лампа", "Leuchte"]


@pytest.mark.parametrize("language", FOUND)
def test_a_text_is_found_by_a_part_of_it_in_any_script(language: str) -> None:
    text, query = FOUND[language]
    best = WordSearch([*OTHER, text]).best({0: query}, {0: 9})
    assert best[0].tolist() == [len(OTHER)]
    words = ItemWords([*OTHER, text])
    scores = (words.of_queries([query]).counts @ words.bm25).toarray()[0]
    assert np.flatnonzero(scores).tolist() == [len(OTHER)]


def test_more_of_the_query_scores_higher() -> None:
    texts = ["红色椅子", "红色桌子", "蓝色椅子", "绿灯"]
    assert WordSearch(texts).best({0: "红椅子"}, {0: 9})[0].tolist()[0] in (0, 2)
    assert WordSearch(texts).best({0: "红色椅子"}, {0: 9})[0].tolist()[0] == 0


LATIN = "abcdefXYZ éüßøñş 0123456789 '\u2019-_.,&½²™\u200d"


@given(
    st.lists(st.lists(st.sampled_from([*LATIN, "❤\ufe0f"]), max_size=30).map("".join), max_size=4)
)
def test_latin_text_is_read_as_ever(texts: list[str]) -> None:
    stemmer = Stemmer.Stemmer("english")
    wanted = bm25s.tokenize(
        texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
    )
    assert [sorted(found) for found in analyse(texts)] == [sorted(found) for found in wanted]


@given(st.lists(st.text(max_size=20), max_size=4))
def test_every_term_of_any_text_is_a_word_without_a_blank(texts: list[str]) -> None:
    found = analyse(texts)
    assert len(found) == len(texts)
    assert all(term and not any(map(str.isspace, term)) for terms in found for term in terms)


@pytest.mark.parametrize("title", ["红色木制椅子家用", "รองเท้าวิ่งผู้ชาย", "लाल कुर्सी लकड़ी घर"])
def test_a_known_item_query_finds_its_item_in_any_script(title: str) -> None:
    protocol = QueryProtocol(
        share=1.0, seed=1, known_item=KnownItemProtocol(share=1.0, fields=("title",), noise=0.0)
    )
    titles = [*OTHER, title]
    made = simulate(protocol, np.full(20, len(OTHER), dtype=np.int32), {"title": titles})
    assert len(made.queries.texts) > 1
    asked = dict(enumerate(made.queries.texts))
    best = WordSearch(titles).best(asked, dict.fromkeys(asked, 1))
    assert all(best[query].tolist() == [len(OTHER)] for query in asked)


def test_searches_without_a_known_word_are_counted_before_anything_is_trained(
    make_folder: MakeFolder,
) -> None:
    queries = [("q0", "the of"), ("q1", "红色"), ("q2", "chair"), ("q3", "…")]
    asked = {"u0": "q0", "u1": "q1", "u2": "q2", "u3": "q3"}
    inter = [
        (user, f"i{item}", item, query if item in (2, 4, 5) else "")
        for user, query in asked.items()
        for item in range(6)
    ]
    items = [(f"i{item}", "chair" if item else "", "") for item in range(9)]
    told: list[str] = []
    load_dataset(make_folder(inter, items, queries), notify=told.append)
    found = [line for line in told if "word" in line and "analyser" not in line]
    assert len(found) == 3
    assert "1 of 9 items have no word" in found[0]
    for line, part in zip(found[1:], ("validation", "test"), strict=True):
        assert f"{part} search: 3 of 4 requests have no word in any item's text" in line
        assert "2 hold stop words and single letters at most" in line
        assert "uniform negatives only" in line


def test_nothing_is_said_where_every_search_has_a_word_or_nobody_searches() -> None:
    ask = {"test search": np.array([0, 0])}
    assert not list(unmatched(TextWords.of(["chair"]), ["chairs"], ask))
    nobody = {"test search": np.array([], dtype=np.int64)}
    assert not list(unmatched(TextWords.of(["", "xx"]), ["the"], nobody))
    assert not list(unmatched(TextWords.of([""]), [], {}))


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["red chair", "Stuhl aus Holz"], "english"),
        (["красный стул"], "english"),
        (["red chair", "红色木制椅子"], "bigrams"),
        (["무선이어폰", ""], "bigrams"),
        (["1024 77", "[5, 3]", ""], "tokens"),
        (["1024 77", "5 x"], "english"),
        (["", "…"], "english"),
        ([], "english"),
    ],
)
def test_the_analyser_is_chosen_by_script_and_any_but_the_usual_is_said(
    texts: list[str], wanted: str
) -> None:
    found, notes = analyser_for(None, texts)
    assert found == wanted
    assert [f"(analyser: {wanted})" in note for note in notes] == [True] * (wanted != "english")


def test_a_card_has_the_last_word_on_the_analyser() -> None:
    assert analyser_for("tokens", ["red"]) == ("tokens", ())
    assert analyser_for("bigrams", ["红色木制椅子"]) == ("bigrams", ())
    named, (note,) = analyser_for("english", ["红色木制椅子"])
    assert named == "english"
    assert "'bigrams' would find parts" in note


@given(st.lists(st.text(st.characters(max_codepoint=0x2FF), max_size=20), max_size=5))
def test_pairs_of_letters_change_nothing_where_words_are_parted(texts: list[str]) -> None:
    assert analyse(texts, "bigrams") == analyse(texts, "english")


def test_tokens_are_neither_stemmed_nor_left_out() -> None:
    assert analyse(["[7, 7, 12]", "the running A a"], "tokens") == [
        ["7", "7", "12"],
        ["the", "running", "A", "a"],
    ]


def test_words_alone_do_not_find_a_part_of_a_chinese_title() -> None:
    titles = ["红色木制椅子家用", "蓝色陶瓷花瓶"]
    assert WordSearch(titles, "english").best({0: "椅子"}, {0: 2}) == {}
    assert WordSearch(titles, "bigrams").best({0: "椅子"}, {0: 2})[0].tolist() == [0]


def test_a_simulated_query_of_tokens_holds_tokens() -> None:
    protocol = QueryProtocol(
        share=1.0, seed=1, known_item=KnownItemProtocol(share=1.0, fields=("title",), noise=0.0)
    )
    made = simulate(protocol, np.zeros(20, np.int32), {"title": ["3 14 15", "9 2 6"]}, "tokens")
    assert {token for text in made.queries.texts for token in text.split()} == {"3", "14", "15"}


LETTERS = st.one_of(
    st.text(st.characters(min_codepoint=0x3041, max_codepoint=0x30FF), max_size=5),
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=5),
    st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=5),
    st.text(st.characters(min_codepoint=0x1100, max_codepoint=0x11FF), max_size=2),
    st.sampled_from(["\u0e33", "\u3099", "\u0301", "\ufe0f", "\u200d", "\u3007", "々", "ー", "𠀀"]),
    st.sampled_from([" ", "the", "lamps", "running's", "of", "l", "1x", "ß"]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(LETTERS, max_size=8).map("".join), max_size=5),
    st.sampled_from([("english", "en"), ("german", "de"), ("russian", "en")]),
)
def test_terms_are_those_that_bm25s_makes_of_the_words(
    texts: list[str], how: tuple[str, str]
) -> None:
    """Pairs by whole clusters of signs, stop words and stems by bm25s."""

    def words(text: str) -> list[str]:
        spaced = scripts._UNSPACED.sub(" ", text)
        found: list[str] = []
        for run in scripts._UNSPACED.findall(text):
            letters = regex.findall(r"\X", run)
            found += [a + b for a, b in pairwise(letters)] or letters
            found += regex.findall(r"\p{Han}", run) if len(run) > 1 else []
        return scripts.Words(r"\w\w+").find(spaced) + found

    language, stop_words = how
    expected = bm25s.tokenize(
        [" ".join(words(scripts.folded(text))) for text in texts],
        lower=False,
        token_pattern=r"\S+",
        stopwords=stop_words,
        stemmer=Stemmer.Stemmer(language),
        return_ids=False,
        show_progress=False,
    )
    assert analyse(texts, "bigrams", language, stop_words) == expected


def test_no_language_has_stems_of_letters_without_blanks() -> None:
    rng = np.random.default_rng(0)
    codes = [np.arange(0x3041, 0x30FB), np.arange(0x4E00, 0xA000), np.arange(0xAC00, 0xD7A4)]
    pairs = ["".join(map(chr, rng.choice(each, 2))) for each in codes for _ in range(500)]
    for language in Stemmer.algorithms():
        assert Stemmer.Stemmer(language).stemWords(pairs) == pairs
