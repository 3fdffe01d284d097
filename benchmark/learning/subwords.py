"""Pieces of words, learned from a data set's own texts where no tokenizer comes with a model."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

__all__ = ["SPECIAL", "train_tokenizer"]

SPECIAL = ("<pad>", "</s>", "<unk>")
"""The first pieces: padding, end and what has no piece, numbered as in T5's own vocabulary."""


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Train a byte-pair tokenizer on ``texts``; words it never saw fall apart into pieces."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
