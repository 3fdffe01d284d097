"""How well pairs of texts fit, by a cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.pieces import ROWS, Pieces, alike, in_rows
from benchmark.learning.cross_encoder import load_cross_encoder
from benchmark.learning.weights import count_weights

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

__all__ = ["PairScorer"]

PAIRS_AT_ONCE = 2**12
"""Pairs whose word pieces are held at a time."""


class PairScorer:
    """A pretrained cross-encoder, used as it is.

    One that is a transformer over word pieces is given passes of ``ROWS`` pairs, padded to a length
    that follows from each pair alone: so no score hangs on the pairs beside it. Any other, such as
    a language model that is asked for yes or no, is asked by sentence-transformers itself.

    Args:
        name: a name on the hub, or a folder.
        device: where to compute.
        longest: word pieces of a pair that are read, or fewer where the network reads fewer.

    Raises:
        InputError: it cannot be loaded, or gives more than one number for a pair.
    """

    def __init__(self, name: str, device: str, longest: int) -> None:
        self.network = load_cross_encoder(name, device).eval()
        self.device = device
        self.longest = int(min(longest, self.network.max_seq_length or longest))
        self.by_pieces = _reads_pieces(self.network)
        if not self.by_pieces:
            self.network.max_seq_length = self.longest

    def __call__(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
        """Return a number for each pair, before any squashing, float32 ``[pairs]``.

        Raises:
            ValueError: there are not as many texts on the left as on the right.
        """
        pairs = list(zip(left, right, strict=True))
        found = np.empty(len(pairs), dtype=np.float32)
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            found[part] = self._scores(pairs[part])
        return found

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    @torch.no_grad()
    def _scores(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        if not self.by_pieces:
            # Squashed to 0 and 1, good pairs would become equal.
            as_it_is = torch.nn.Identity()
            found = self.network.predict(
                pairs, batch_size=ROWS, activation_fn=as_it_is, show_progress_bar=False
            )
            return np.asarray(found, dtype=np.float32)
        ids, kinds = self._pieces(pairs)
        scores = np.empty(len(pairs), dtype=np.float32)
        for rows, width in alike(ids.length):
            passed = np.resize(rows, ROWS)
            features = {
                "input_ids": ids.rows[passed, :width],
                "attention_mask": ids.mask(passed, width),
            }
            if kinds is not None:
                features["token_type_ids"] = kinds[passed, :width]
            tensors = {n: torch.as_tensor(v, device=self.device) for n, v in features.items()}
            answer = self.network(tensors)["scores"].reshape(ROWS)
            scores[rows] = answer[: len(rows)].float().cpu().numpy()
        return scores

    def _pieces(self, pairs: list[tuple[str, str]]) -> tuple[Pieces, NDArray[np.int64] | None]:
        """Return word pieces, and which text each is of where the network is told."""
        tokenizer = self.network.tokenizer
        found = tokenizer(
            [left for left, _ in pairs],
            [right for _, right in pairs],
            truncation="longest_first",
            max_length=self.longest,
        )
        ids = in_rows(found["input_ids"], tokenizer.pad_token_id or 0)
        kinds = found.get("token_type_ids")
        return ids, None if kinds is None else in_rows(kinds, 0).rows


def _reads_pieces(network: CrossEncoder) -> bool:
    """Return whether a network is a plain transformer that classifies pairs of word pieces."""
    from sentence_transformers.base.modules import Transformer
    from transformers import PreTrainedTokenizerBase

    first = network[0]
    return (
        len(network) == 1
        and type(first) is Transformer
        and first.transformer_task == "sequence-classification"
        and isinstance(network.tokenizer, PreTrainedTokenizerBase)
        and not first.do_lower_case
        and network.default_prompt_name is None
    )
