"""Small networks with random weights, in folders as sentence-transformers writes them."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from benchmark.data.dataset import Dataset

__all__ = ["cross_encoder", "sentence_encoder", "word_table"]

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WIDTH = 16


def _words(data: Dataset) -> list[str]:
    texts = " ".join([*data.items.texts, *data.queries.texts, "query : passage find"])
    return sorted(set(re.findall(r"\w+|[^\w\s]", texts.lower())))


def _pieces(data: Dataset) -> Tokenizer:
    vocabulary = dict.fromkeys([*_SPECIAL, *_words(data)])
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, numbers[name]) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _bert(data: Dataset, folder: Path, labels: int, seed: int) -> Path:
    """Write a network that classifies if there are labels, else one that only reads."""
    pieces = _pieces(data)
    config = BertConfig(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=48,
        initializer_range=0.5,
        num_labels=max(labels, 1),
    )
    kind = BertForSequenceClassification if labels else BertModel
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kind(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=48,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    return folder


def sentence_encoder(
    data: Dataset,
    folder: Path,
    prompts: dict[str, str] | None = None,
    include_prompt: bool = True,
    seed: int = 0,
) -> Path:
    """Write a sentence encoder whose vectors are means over word pieces."""
    read = Transformer(str(_bert(data, folder / "bert", 0, seed)))
    mean = Pooling(WIDTH, pooling_mode="mean", include_prompt=include_prompt)
    SentenceTransformer(modules=[read, mean], prompts=prompts, device="cpu").save(str(folder))
    return folder


def word_table(data: Dataset, folder: Path) -> Path:
    """Write an encoder that is a table of word vectors, without any transformer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        table = StaticEmbedding(_pieces(data), embedding_dim=WIDTH)
    SentenceTransformer(modules=[table], device="cpu").save(str(folder))
    return folder


def cross_encoder(data: Dataset, folder: Path, labels: int = 1, seed: int = 0) -> Path:
    """Write a cross-encoder."""
    CrossEncoder(str(_bert(data, folder / "bert", labels, seed)), device="cpu").save(str(folder))
    return folder
