"""The T5 that reads histories and writes identifiers.

The module and its weights are those of ``transformers``. Its decoder is walked block by block
here, because many targets share one input: they attend to its states without copying them, each
only to the positions that it may see.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from benchmark.errors import BenchmarkError
from benchmark.learning.dropout import use_byte_dropout
from benchmark.learning.quiet import without_progress_bars
from benchmark.learning.subwords import train_tokenizer
from gensar.engine.cpu_kernels import keep_freed_memory, logsumexp, product
from gensar.engine.identifiers import COLLABORATIVE
from gensar.engine.settings import GeneratorSettings
from gensar.engine.vocabulary import END, PADDING, Vocabulary

__all__ = [
    "Backbone",
    "Normaliser",
    "additive",
    "readable",
    "t5_of",
    "tokenizer_of",
    "use_cheap_dropout",
]


def t5_of(settings: GeneratorSettings, tokens: int) -> T5ForConditionalGeneration:
    """Return a new T5 of the settings' sizes, or the hub's, with room for ``tokens`` tokens.

    Raises:
        BenchmarkError: the hub is out of reach or has no such model.
    """
    if settings.backbone != "config":
        try:
            with without_progress_bars():
                # Some are stored in half precision, in which AdamW's steps would be lost.
                model = T5ForConditionalGeneration.from_pretrained(
                    settings.backbone, dtype=torch.float32
                )
        except OSError as error:
            raise BenchmarkError(
                f"backbone '{settings.backbone}' cannot be loaded from the hub; "
                "--set backbone=config makes one of the settings' sizes"
            ) from error
        model.resize_token_embeddings(tokens)
        return model
    config = T5Config(  # type: ignore[call-arg]
        vocab_size=tokens,
        d_model=settings.width,
        d_kv=settings.width // settings.heads,
        d_ff=settings.feed_forward,
        num_layers=settings.layers,
        num_heads=settings.heads,
        dropout_rate=settings.dropout,
        pad_token_id=PADDING,
        eos_token_id=END,
        decoder_start_token_id=PADDING,
    )
    return T5ForConditionalGeneration(config)


def tokenizer_of(settings: GeneratorSettings, texts: Iterable[str]) -> Tokenizer:
    """Return a tokenizer trained on ``texts``, or the one that the hub's T5 was trained with.

    Raises:
        BenchmarkError: the hub is out of reach, or its tokenizer numbers tokens unlike T5.
    """
    name = settings.backbone
    if name == "config":
        return train_tokenizer(texts, settings.text_tokens)
    try:
        with without_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"tokenizer of '{name}' cannot be loaded from the hub") from error
    if (tokenizer.pad_token_id, tokenizer.eos_token_id) != (PADDING, END):
        raise BenchmarkError(f"tokenizer of '{name}': padding and end are not numbered as in T5")
    return tokenizer.backend_tokenizer


def use_cheap_dropout(t5: T5ForConditionalGeneration) -> None:
    """Take dropout's random bits from few random numbers, and leave attention weights alone.

    Dropout of attention weights costs more than all matrix products together on a CPU.
    """
    use_byte_dropout(t5)
    for module in t5.modules():
        if isinstance(module, T5Attention):
            module.dropout = 0.0


Normaliser = Literal["trie", "level", "vocabulary"]
"""What the probabilities of codes are normalised over; see :class:`GeneratorSettings`."""


class Backbone(nn.Module):
    """A T5 with packed decoding. The process keeps memory that is freed from then on.

    Args:
        t5: the model.
        vocabulary: numbers the tokens.
        causal: whether an input position sees only what stands before it, so that one pass over
            a sequence serves targets at every place of it.
        softmax: see :class:`GeneratorSettings`.
        whole_answers: likewise; together with the softmax over the vocabulary only.
        nodes: nodes of each identifier's trie, each of which has an output vector of its own beside
            that of its last code; with the softmax over the trie only. Empty: none has.
        leaves: int64 ``[items]``, the node of each item's whole collaborative identifier, whose
            output vector is the embedding of the item's own token, so that an item is one vector
            in the history and among the answers, as SASRec has it (Kang and McAuley 2018, section
            3.4). ``None``: items' own tokens, if there are any, are in the table with all others.
    """

    def __init__(
        self,
        t5: T5ForConditionalGeneration,
        vocabulary: Vocabulary,
        causal: bool,
        softmax: Normaliser,
        whole_answers: bool = False,
        nodes: tuple[int, ...] = (),
        leaves: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.t5 = t5
        self.causal = causal
        self.softmax = softmax
        self.whole_answers = whole_answers
        self.vocabulary = vocabulary
        # Zeros: what training never met is told by its codes alone.
        own = (nn.Parameter(torch.zeros(count, t5.config.d_model)) for count in nodes)
        self.node_vectors = nn.ParameterList(own)
        self.leaves: Tensor | None
        self.register_buffer("leaves", leaves, persistent=False)
        use_cheap_dropout(t5)
        keep_freed_memory()

    def embed(self, tokens: Tensor) -> Tensor:
        """Sum the embeddings at each position of ``[rows, length, width]``; -1 adds nothing."""
        if self.leaves is None:
            return _summed(tokens, self.t5.shared.weight)
        nodes = tokens[:, :, -1:] - self.vocabulary.first_item
        nodes = torch.where(nodes < 0, nodes, self.leaves[nodes.clamp_min(0)])
        beside = _summed(nodes, self.node_vectors[COLLABORATIVE])
        return _summed(tokens[:, :, :-1], self.t5.shared.weight) + beside

    def encode(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the states ``[rows, length, d]`` of an input ``[rows, length, width]``.

        ``hidden`` is ``[rows, length, 2]``, see :meth:`attended`.
        """
        embedded = self.embed(tokens)
        attended = additive(self.attended(tokens[:, :, 0] >= 0, hidden), embedded.dtype)
        return self.t5.encoder(inputs_embeds=embedded, attention_mask=attended).last_hidden_state

    def attended(self, real: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return which positions each position of an input sees.

        Args:
            real: bool ``[rows, length]``, which positions are no padding.
            hidden: int64 ``[rows, length, 2]``, first and stop of earlier positions that a
                position of a causal encoder does not see; ``None`` where there are none.

        Returns:
            bool ``[rows, 1, length or 1, length]``.
        """
        mask = real[:, None, None, :]
        if not self.causal:
            return mask
        length = real.shape[1]
        past = torch.ones(length, length, dtype=torch.bool, device=real.device).tril()
        # Every position sees itself, padding too, so that no row of the softmax is empty.
        seen = past & (mask | torch.eye(length, dtype=torch.bool, device=real.device))
        if hidden is None:
            return seen
        places = torch.arange(length, device=real.device)
        first, stop = hidden[:, None, :, :1], hidden[:, None, :, 1:]
        return seen & ((places < first) | (places >= stop))

    def summary(self, states: Tensor, lengths: Tensor) -> Tensor | None:
        """Return the state of the last position that each target may read, ``[rows, targets, d]``.

        A causal encoder cannot know which position is the last, and T5's cross-attention knows no
        places: without this the decoder could tell neither the newest event nor the query that is
        asked now from older ones. A bidirectional encoder needs none, and ``None`` is returned.

        Args:
            states: ``[rows, positions, d]``.
            lengths: int64 ``[rows, targets]``, the number of positions that may be read.
        """
        if not self.causal:
            return None
        last = (lengths - 1).clamp_min(0).unsqueeze(-1).expand(-1, -1, states.shape[-1])
        return states.gather(1, last)

    def decode(
        self, tokens: Tensor, states: Tensor, visible: Tensor, summary: Tensor | None
    ) -> Tensor:
        """Run the decoder for several targets over each input.

        Args:
            tokens: int64 ``[rows, targets, length]``, decoder inputs.
            states: ``[rows, positions, d]`` from :meth:`encode`.
            visible: bool ``[rows, targets or 1, positions]``, what each target may attend to.
            summary: ``[rows, targets or 1, d]``, added to the first decoder input, or ``None``.

        Returns:
            ``[rows, targets, length, d]``, ready for the output embeddings.
        """
        rows, targets, length = tokens.shape
        decoder = self.t5.decoder
        embedded = self.t5.shared(tokens)
        if summary is not None:
            first = embedded[:, :, :1] + summary.unsqueeze(2)
            embedded = torch.cat([first, embedded[:, :, 1:]], dim=2)
        hidden = decoder.dropout(embedded)
        width = hidden.shape[-1]
        causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        own = additive(causal[None, None], hidden.dtype)
        cross = additive(visible, hidden.dtype)
        cross = cross.unsqueeze(2).expand(-1, targets, length, -1)
        cross = cross.reshape(rows, 1, targets * length, -1)
        bias = None
        for block in decoder.block:
            own_attention, cross_attention, feed_forward = cast(Any, block).layer
            hidden = hidden.reshape(rows * targets, length, width)
            hidden, bias, _ = own_attention(hidden, attention_mask=own, position_bias=bias)
            hidden = hidden.reshape(rows, targets * length, width)
            hidden = cross_attention(hidden, states, attention_mask=cross)[0]
            hidden = feed_forward(hidden)
        hidden = decoder.dropout(decoder.final_layer_norm(hidden))
        if self.t5.config.scale_decoder_outputs:
            hidden = hidden * width**-0.5
        return hidden.reshape(rows, targets, length, width)

    def node_logits(self, hidden: Tensor, identifier: int, nodes: Tensor) -> Tensor:
        """Return what the nodes' own output vectors add to the logits of their codes.

        Args:
            hidden: ``[..., d]`` of :meth:`decode`.
            identifier: that is written.
            nodes: int64, of its trie, ``[..., n]`` or, the same for all, ``[1, ..., n]``.

        Returns:
            ``[..., n]``.
        """
        vectors = self.node_vectors[identifier]
        if nodes.numel() == nodes.shape[-1]:
            return hidden @ vectors[nodes.flatten()].T
        return torch.einsum("...d,...nd->...n", hidden, vectors[nodes])

    def code_log_probs(
        self,
        hidden: Tensor,
        identifier: int,
        level: int,
        children: tuple[Tensor, Tensor, Tensor],
    ) -> Tensor:
        """Return log-probabilities ``[..., codes of the level]`` of the next code, as float32.

        Args:
            hidden: ``[..., d]`` of :meth:`decode`.
            identifier: that is written.
            level: of it.
            children: that the prefixes have in the trie, see :meth:`Trie.children`; with
                ``softmax="trie"`` log-probabilities of other codes mean nothing.
        """
        start, stop = self.vocabulary.level_range(identifier, level)
        table = self.t5.lm_head.weight
        logits = product(hidden, table[start:stop]).float()
        if self.softmax == "vocabulary":
            return logits - logsumexp(hidden, table).unsqueeze(-1)
        if self.softmax == "level":
            return functional.log_softmax(logits, dim=-1)
        code, real = (part.expand(*logits.shape[:-1], -1) for part in children[1:])
        if len(self.node_vectors):
            own = self.node_logits(hidden, identifier, children[0]).float()
            logits = logits.scatter_add(-1, code, own.masked_fill(~real, 0.0))
        among = logits.gather(-1, code).masked_fill(~real, -torch.inf)
        return logits - among.logsumexp(dim=-1, keepdim=True)

    def end_log_probs(self, hidden: Tensor) -> Tensor:
        """Return log-probabilities ``[...]`` that the answer ends here, as float32."""
        table = self.t5.lm_head.weight
        end = product(hidden, table[END : END + 1]).float().squeeze(-1)
        return end - logsumexp(hidden, table)

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Return logits ``[..., tokens]`` over text pieces, or over all tokens where codes are
        normalised over the whole vocabulary too."""
        table = self.t5.lm_head.weight
        if self.softmax != "vocabulary":
            table = table[: self.vocabulary.text]
        return hidden @ table.T


def _summed(tokens: Tensor, table: Tensor) -> Tensor:
    """Return the sum over the last axis of the rows of ``table``; of those below 0 nothing."""
    present = (tokens >= 0).unsqueeze(-1).to(table.dtype)
    return (functional.embedding(tokens.clamp_min(0), table) * present).sum(dim=-2)


def readable(first: Tensor, stop: Tensor, positions: int) -> Tensor:
    """Return which positions each target may attend to, bool ``[rows, targets, positions]``.

    Args:
        first: int64 ``[rows, targets]``, the first position that may be read.
        stop: the one behind the last; where it is 0 there is no target, and the first of all
            positions is read, so that no row is empty.
        positions: number of positions.
    """
    stop = stop.clamp_min(1)
    first = torch.minimum(first, stop - 1)
    places = torch.arange(positions, device=stop.device)
    return (places >= first.unsqueeze(-1)) & (places < stop.unsqueeze(-1))


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 0 where ``mask`` (bool) holds and a very small number elsewhere, of its shape."""
    zeros = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return zeros.masked_fill(~mask, torch.finfo(dtype).min)
