"""Search by any sentence encoder, held against sentence-transformers itself."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from baselines.encoder import EncoderSearch, EncoderSettings, joined
from benchmark.cli.app import main
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.encoder_sizes import sizes_of
from benchmark.model import TrainingContext
from benchmark.needs import Sizes
from benchmark.registry import find
from benchmark.testing import CHECKS, Subject
from tests.baselines.tiny_encoders import WIDTH, sentence_encoder, word_table

SEARCH = (Task.SEARCH,)
PROMPTS = {"query": "query: ", "passage": "passage: "}


@pytest.fixture(scope="module")
def prompted(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentence_encoder(tiny, tmp_path_factory.mktemp("prompted"), PROMPTS)


@pytest.fixture(scope="module")
def subject(tiny: Dataset, prompted: Path) -> Subject:
    return Subject(find(f"encoder:{prompted}"), tiny)


def fitted(data: Dataset, settings: EncoderSettings) -> EncoderSearch:
    model = EncoderSearch(settings)
    model.fit(data.train, HarnessValidation(data, SEARCH), TrainingContext(SEARCH, 1))
    return model


def asked(data: Dataset) -> Requests:
    return data.evaluation["test", Task.SEARCH].requests[:15]


def cosines(
    data: Dataset, folder: Path, query: str | None = None, item: str | None = None
) -> np.ndarray:
    """Return the cosines by sentence-transformers, ``[requests, items]``."""
    network = SentenceTransformer(str(folder), device="cpu")
    queries = network.encode_query(asked(data).query_texts(), prompt=query)
    items = network.encode_document(list(data.items.texts), prompt=item)
    return np.asarray(network.similarity(queries, items))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.strip("_"))
def test_it_conforms(subject: Subject, check) -> None:
    check(subject)


def test_scores_are_cosines_behind_the_prompts_that_the_encoder_names(
    tiny: Dataset, prompted: Path
) -> None:
    context, model = TrainingContext(SEARCH, 1), EncoderSearch(EncoderSettings(str(prompted)))
    model.fit(tiny.train, HarnessValidation(tiny, SEARCH), context)
    expected = cosines(tiny, prompted, *PROMPTS.values())
    np.testing.assert_allclose(model.score(asked(tiny)), expected, atol=1e-5)
    assert np.abs(expected - cosines(tiny, prompted, "", "")).max() > 0.01
    assert context.run_log.facts["prefixes"] == {"query": "query: ", "document": "passage: "}


@pytest.mark.parametrize(("query", "item"), [("", ""), ("find:", ""), ("", "passage find")])
def test_a_prefix_of_the_settings_stands_in_place_of_the_prompt(
    tiny: Dataset, prompted: Path, query: str, item: str
) -> None:
    model = fitted(tiny, EncoderSettings(str(prompted), query_prefix=query, item_prefix=item))
    blank = {"": "", "find:": "find: ", "passage find": "passage find "}
    expected = cosines(tiny, prompted, blank[query], blank[item])
    np.testing.assert_allclose(model.score(asked(tiny)), expected, atol=1e-5)


def test_a_blank_follows_a_prefix_but_where_a_script_may_have_none() -> None:
    given = ("", "query:", "query: ", "\u67e5\u8be2\uff1a")
    assert [joined(prefix) for prefix in given] == ["", "query: ", "query: ", given[3]]


def test_prompts_that_are_not_averaged_are_left_to_the_library(
    tiny: Dataset, tmp_path: Path
) -> None:
    folder = sentence_encoder(tiny, tmp_path, PROMPTS, include_prompt=False)
    model = fitted(tiny, EncoderSettings(str(folder)))
    expected = cosines(tiny, folder, *PROMPTS.values())
    np.testing.assert_allclose(model.score(asked(tiny)), expected, atol=1e-5)


def test_an_encoder_without_a_transformer_is_left_to_the_library(
    tiny: Dataset, tmp_path: Path
) -> None:
    folder = word_table(tiny, tmp_path)
    model = fitted(tiny, EncoderSettings(str(folder)))
    np.testing.assert_allclose(model.score(asked(tiny)), cosines(tiny, folder), atol=1e-5)


def test_what_is_read_of_a_text_ends_with_longest(tiny: Dataset, prompted: Path) -> None:
    short = fitted(tiny, EncoderSettings(str(prompted), longest=4))
    network = SentenceTransformer(str(prompted), device="cpu")
    network.max_seq_length = 4
    texts = ["passage: " + text for text in tiny.items.texts]
    expected = network.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(short.vectors, expected, atol=1e-5)


def test_an_encoder_that_changed_is_not_taken_for_the_one_of_the_vectors(
    tiny: Dataset, tmp_path: Path
) -> None:
    folder = sentence_encoder(tiny, tmp_path / "encoder")
    fitted(tiny, EncoderSettings(str(folder))).save(tmp_path / "kept")
    shutil.rmtree(folder)
    sentence_encoder(tiny, folder, seed=1)
    with pytest.raises(InputError, match="other weights than it had"):
        EncoderSearch.load(tmp_path / "kept")


@pytest.mark.parametrize("name", ["no/such-encoder", "empty", "broken"])
def test_what_cannot_be_loaded_is_told_in_one_line(
    tiny: Dataset, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if "/" not in name:
        name = str(tmp_path / name)
        Path(name).mkdir()
    if name.endswith("broken"):
        sentence_encoder(tiny, Path(name))
        (Path(name) / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"text encoder '.*' cannot be loaded from the") as caught:
        fitted(tiny, EncoderSettings(name))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_ends_a_command_before_anything_is_trained(
    tiny_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent, results = tmp_path / "absent", tmp_path / "results"
    words = ["run", "--model", f"encoder:{absent}", "--dataset", str(tiny_folder)]
    monkeypatch.setattr("sys.argv", ["benchmark", *words, "--results", str(results)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert f"text encoder '{absent}': there is no such folder" in error
    assert "Traceback" not in error
    assert not (results / "runs").exists()


def test_items_without_texts_are_refused(tiny: Dataset) -> None:
    bare = replace(tiny.train, items=replace(tiny.items, texts=("",) * len(tiny.items)))
    with pytest.raises(InputError, match="items with a text"):
        EncoderSearch().check(bare, SEARCH)


def test_sizes_of_a_folder_are_told_without_loading_it(tiny: Dataset, prompted: Path) -> None:
    sizes = sizes_of(str(prompted))
    assert sizes is not None
    assert (sizes.layers, sizes.width, sizes.inner, sizes.heads) == (2, WIDTH, 32, 2)
    network = SentenceTransformer(str(prompted), device="cpu")
    whole = sum(weight.numel() for weight in network.parameters())
    assert 0.7 * whole < sizes.weights <= whole
    needs = EncoderSearch(EncoderSettings(str(prompted))).needs(Sizes.of(tiny), SEARCH)
    assert needs is not None
    assert needs.kept == 4 * (WIDTH * len(tiny.items) + sizes.weights)
    assert EncoderSearch(EncoderSettings("no/such")).needs(Sizes.of(tiny), SEARCH) is None
