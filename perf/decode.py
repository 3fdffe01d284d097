"""Constrained decoding against ``transformers``: beams, given items, growth with the catalogue.

The peer is what the official code of GenSAR calls: ``generate`` with ``prefix_allowed_tokens_fn``
over a nested dictionary of all identifiers. Both sides run the same T5, of the sizes of the preset
``standard`` with random weights, over the same random codes, encoder included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from benchmark.learning.subwords import train_tokenizer
from gensar.engine.backbone import Backbone, t5_of
from gensar.engine.beam_search import Leaves, beam_search, score_catalogue, score_items
from gensar.engine.bucketed_encoder import encode_by_length
from gensar.engine.identifiers import COLLABORATIVE, Identifiers
from gensar.engine.incremental_decoder import EncoderOutput, IncrementalDecoder
from gensar.engine.trie import ExcludedItems, Trie
from gensar.engine.vocabulary import Vocabulary
from gensar.settings import GenSARSettings
from perf.measurement import Measurement

__all__ = ["measure"]

BATCH, BEAMS, POSITIONS, CANDIDATES, EXCLUDED = 64, 30, 128, 100, 100
LEVELS = 4
CATALOGUES = {1_682: 64, 60_000: 256}
"""Number of items, and of codes of a level."""
GROWING = (10_000, 100_000, 1_000_000)
REPEATS = 9


@dataclass(frozen=True)
class _Case:
    """A T5 over random identifiers, and a batch of inputs."""

    backbone: Backbone
    trie: Trie
    leaves: Leaves
    inputs: Tensor
    real: Tensor

    @classmethod
    def of(cls, items: int, codes: int, whole: bool = True) -> _Case:
        """Draw distinct identifiers of ``LEVELS`` codes and inputs of different lengths.

        ``generate`` normalises over the ``whole`` vocabulary; GenSAR's own default is the level.
        """
        rng = np.random.default_rng(0)
        table = _digits(_distinct(items, codes, rng), codes)
        sizes = (codes,) * LEVELS
        identifiers = Identifiers((table, table), LEVELS, (sizes, sizes), ((), ()))
        settings = GenSARSettings()
        tokenizer = train_tokenizer(["drama"], 20)
        vocabulary = Vocabulary(tokenizer, settings.text_tokens, identifiers)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            t5 = t5_of(settings, vocabulary.size)
            # Scores far enough apart that rounding cannot change their order.
            torch.nn.init.normal_(t5.shared.weight, std=2.0)
        backbone = Backbone(
            t5, vocabulary, causal=False, softmax="vocabulary" if whole else "level"
        ).eval()
        inputs = torch.as_tensor(rng.integers(3, vocabulary.size, (BATCH, POSITIONS)))
        lengths = torch.as_tensor(rng.integers(POSITIONS // 4, POSITIONS + 1, BATCH))
        real = torch.arange(POSITIONS) < lengths[:, None]
        trie = Trie.of(table)
        return cls(backbone, trie, Leaves.of(trie), inputs * real, real)

    @property
    def start(self) -> int:
        return self.backbone.vocabulary.rec

    def encoded(self) -> EncoderOutput:
        """Encode the batch."""
        inputs = torch.where(self.real, self.inputs, -1).unsqueeze(-1)
        states = encode_by_length(self.backbone, inputs)
        return EncoderOutput(states, self.real.unsqueeze(1), None)

    def beams(self, excluded: ExcludedItems | None = None) -> tuple[Tensor, Tensor]:
        """Return items and scores, ``[BATCH, BEAMS]``, by our decoder."""
        found = beam_search(
            self.backbone, self.encoded(), self.start, COLLABORATIVE, self.trie, BEAMS, excluded
        )
        return self.leaves.items(*found, excluded)

    def tokens(self) -> NDArray[np.int64]:
        return self.backbone.vocabulary.code_tokens(COLLABORATIVE)


def measure() -> list[Measurement]:
    """Run all comparisons on the CPU."""
    found: list[Measurement] = []
    with torch.no_grad():
        for items, codes in CATALOGUES.items():
            case = _Case.of(items, codes)
            found += [_against_generate(case, items), _against_free(case, items)]
        case = _Case.of(*min(CATALOGUES.items()), whole=False)
        found += [_given(case), _whole(case)]
        found.append(_growth())
    return found


def _against_generate(case: _Case, items: int) -> Measurement:
    nested: dict[int, Any] = {}
    for path in case.tokens().tolist():
        level = nested
        for token in path:
            level = level.setdefault(token, {})

    def going_on(_: int, written: Tensor) -> list[int]:
        level = nested
        for token in written.tolist()[1:]:
            level = level.get(token, {})
        return list(level)

    t5: Any = case.backbone.t5

    def peer() -> Any:
        return t5.generate(
            case.inputs,
            attention_mask=case.real.long(),
            num_beams=BEAMS,
            num_return_sequences=BEAMS,
            prefix_allowed_tokens_fn=going_on,
            decoder_start_token_id=case.start,
            max_new_tokens=LEVELS,
            length_penalty=0.0,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )

    (ours_s, (ranked, scores)), (peer_s, theirs) = _timed(case.beams, peer)
    number = {tuple(path): item for item, path in enumerate(case.tokens().tolist())}
    written = [number[tuple(path)] for path in theirs.sequences[:, 1:].tolist()]
    apart = float((scores.flatten() - theirs.sequences_scores).abs().max())
    return Measurement(
        name=f"beam search, {items:,} items",
        ours_s=ours_s,
        peer=f"transformers {version('transformers')} generate, prefix_allowed_tokens_fn",
        peer_s=peer_s,
        agree=written == ranked.flatten().tolist() and apart < 1e-4,
        details={"requests_per_second": BATCH / ours_s, "largest_score_difference": apart},
    )


def _against_free(case: _Case, items: int) -> Measurement:
    """Time the same decoder when any code may follow any other."""

    def free() -> Tensor:
        decoder = IncrementalDecoder(case.backbone, case.encoded())
        hidden, cache = decoder.first(case.start)
        scores = torch.zeros(BATCH, 1)
        codes = torch.arange(case.backbone.vocabulary.identifiers.level_sizes[0][0])
        any_code = codes, codes, torch.ones_like(codes, dtype=torch.bool)
        for level in range(LEVELS):
            log_probs = case.backbone.code_log_probs(hidden, COLLABORATIVE, level, any_code)
            grown = (scores.unsqueeze(-1) + log_probs).flatten(1)
            scores, best = grown.topk(BEAMS, dim=1)
            if level + 1 < LEVELS:
                first = case.backbone.vocabulary.level_range(COLLABORATIVE, level)[0]
                parent, code = best // len(codes), best % len(codes)
                hidden, cache = decoder.next(code + first, cache.select(parent))
        return scores

    (ours_s, (_, scores)), (free_s, any_scores) = _timed(case.beams, free)
    return Measurement(
        name=f"what the constraint costs, {items:,} items",
        ours_s=ours_s,
        peer="the same steps without constraint",
        peer_s=free_s,
        agree=bool((any_scores[:, 0] >= scores[:, 0] - 1e-4).all()),
        details={"times_the_time": ours_s / free_s},
    )


def _given(case: _Case) -> Measurement:
    rng = np.random.default_rng(1)
    items = np.stack([rng.permutation(len(case.trie.path))[:CANDIDATES] for _ in range(BATCH)])
    chosen = torch.as_tensor(items)
    tokens = torch.as_tensor(case.tokens())[chosen]

    def ours() -> Tensor:
        return score_items(
            case.backbone, case.encoded(), case.start, COLLABORATIVE, case.trie, chosen
        )

    def peer() -> Tensor:
        states = BaseModelOutput(last_hidden_state=case.encoded().states)
        scores = torch.empty(BATCH, CANDIDATES)
        for number in range(CANDIDATES):
            labels = tokens[:, number]
            written = torch.nn.functional.pad(labels[:, :-1], (1, 0), value=case.start)
            logits = case.backbone.t5(
                encoder_outputs=states, attention_mask=case.real, decoder_input_ids=written
            ).logits
            scores[:, number] = 0
            for level in range(LEVELS):
                first, stop = case.backbone.vocabulary.level_range(COLLABORATIVE, level)
                log_probs = logits[:, level, first:stop].log_softmax(-1)
                scores[:, number] += log_probs.gather(-1, labels[:, [level]] - first)[:, 0]
        return scores

    (ours_s, scores), (peer_s, expected) = _timed(ours, peer)
    apart = float((scores - expected).abs().max() / expected.abs().max())
    return Measurement(
        name=f"exact scores of {CANDIDATES} candidates",
        ours_s=ours_s,
        peer=f"transformers {version('transformers')}, one teacher-forced pass a candidate",
        peer_s=peer_s,
        agree=bool(torch.allclose(scores, expected, atol=1e-5, rtol=1e-5)),
        details={"largest_relative_difference": apart},
    )


def _whole(case: _Case) -> Measurement:
    """Hold the walk over the whole trie against a beam as wide as the catalogue."""
    items = len(case.trie.path)

    def walk() -> Tensor:
        return score_catalogue(case.backbone, case.encoded(), case.start, COLLABORATIVE, case.trie)

    def wide() -> tuple[Tensor, Tensor]:
        found = beam_search(
            case.backbone, case.encoded(), case.start, COLLABORATIVE, case.trie, items
        )
        return case.leaves.items(*found, None)

    (ours_s, scores), (peer_s, (ranked, beam_scores)) = _timed(walk, wide)
    apart = float((scores.gather(1, ranked) - beam_scores).abs().max())
    whole = bool((ranked.sort(dim=1).values == torch.arange(items)).all())
    return Measurement(
        name=f"exact ranking of all {items:,} items",
        ours_s=ours_s,
        peer=f"beam search with {items:,} beams",
        peer_s=peer_s,
        agree=whole and apart < 1e-4,
        details={"largest_score_difference": apart},
    )


def _growth() -> Measurement:
    """Time beam search as the catalogue grows, with items excluded for each request."""

    # [requests, excluded items] of each catalogue
    away = [np.random.default_rng(2).integers(0, items, (BATCH, EXCLUDED)) for items in GROWING]

    def search_over(items: int, away: NDArray[np.int64]) -> Callable[[], tuple[Tensor, Tensor]]:
        case = _Case.of(items, 256)
        offsets = np.arange(0, away.size + 1, EXCLUDED)
        return lambda: case.beams(ExcludedItems.of(case.trie, offsets, away.ravel()))

    found = _timed(*map(search_over, GROWING, away))
    given = [ranked.numpy() for _, (ranked, _) in found]
    excluded = [
        (ranked[:, :, None] == out[:, None]).any() for ranked, out in zip(given, away, strict=True)
    ]
    seconds = {items: taken for items, (taken, _) in zip(GROWING, found, strict=True)}
    small, large = seconds[GROWING[0]], seconds[GROWING[-1]]
    return Measurement(
        name=f"growth from {GROWING[0]:,} to {GROWING[-1]:,} items, {EXCLUDED} excluded for each",
        ours_s=small,
        peer=f"ours over {GROWING[-1]:,} items",
        peer_s=large,
        agree=not any(excluded) and all((ranked >= 0).all() for ranked in given),
        details={f"ms_per_request at {n:,}": 1000 * s / BATCH for n, s in seconds.items()},
    )


def _timed(*works: Callable[[], Any]) -> list[tuple[float, Any]]:
    """Return the median seconds of each work and its answer, after calls that do not count.

    One work after the other: what ``generate`` leaves in the allocator slows the calls after it.
    """
    found = []
    for work in works:
        # The system's allocator settles during the first calls.
        for _ in range(3):
            answer = work()
        seconds = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - begin)
        found.append((float(np.median(seconds)), answer))
    return found


def _distinct(items: int, codes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw distinct numbers below ``codes ** LEVELS`` without listing them all."""
    drawn = np.unique(rng.integers(0, codes**LEVELS, items + items // 10 + 100))
    return rng.permutation(drawn)[:items]


def _digits(numbers: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    powers = base ** np.arange(LEVELS - 1, -1, -1)
    return numbers[:, None] // powers % base
