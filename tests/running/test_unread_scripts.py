"""The remark on texts that the installed encoder has not learned to read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.data.dataset import Dataset
from benchmark.registry import find
from benchmark.running.plan_rules import plan_experiments
from benchmark.running.unread_scripts import MULTILINGUAL, unread_scripts


def of_texts(dataset: Dataset, *texts: str) -> Dataset:
    many = tuple(texts[row % len(texts)] for row in range(len(dataset.items)))
    items = replace(dataset.items, texts=many)
    return replace(dataset, items=items, train=replace(dataset.train, items=items))


@pytest.mark.parametrize("model", ["dense", "hybrid", "gensar", "tiger", "synergen", "dsi"])
def test_texts_of_another_script_are_told_once_and_name_the_mend(model: str, tiny: Dataset) -> None:
    plans = plan_experiments([find(model)], ("rec", "search"), "quick", [])
    assert not list(unread_scripts(plans, tiny))
    (line,) = unread_scripts(plans * 2, of_texts(tiny, "红色木制椅子", "красный стул", "LED"))
    assert f"'minilm' of {model} reads English, but 8" in line
    assert f"--set encoder={MULTILINGUAL}" in line
    assert not list(unread_scripts(plans, of_texts(tiny, "Großer Kühlschrank für Büros", "椅子")))


def test_another_encoder_is_not_told_of_nor_is_a_model_without_one(tiny: Dataset) -> None:
    texts = of_texts(tiny, "红色木制椅子")
    other = plan_experiments([find("dense")], ("search",), "quick", [f"encoder={MULTILINGUAL}"])
    assert not list(unread_scripts(other, texts))
    assert not list(
        unread_scripts(plan_experiments([find("bm25")], ("search",), "quick", []), texts)
    )


def test_tokens_are_told_too(tiny: Dataset) -> None:
    texts = of_texts(tiny, "17 4 8")
    tokens = replace(texts, train=replace(texts.train, analyser="tokens"))
    (line,) = unread_scripts(plan_experiments([find("dense")], ("search",), "quick", []), tokens)
    assert "tokens: it learns nothing" in line
