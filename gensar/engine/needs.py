"""What writing identifiers needs: the T5's layers, its vocabulary, and making the identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmark.data.requests import Task
from benchmark.learning.costs import (
    FLOAT,
    Cost,
    attention,
    encoder_of,
    encoding,
    epoch_of,
    feed_forward,
    forward,
    linear,
    trained,
)
from benchmark.needs import Needs, Sizes, Work, in_turn
from benchmark.registry import find
from benchmark.settings import build_settings
from gensar.engine.rqvae import training_steps
from gensar.engine.settings import GeneratorSettings

__all__ = ["Targets", "backbone_needs", "collaborative_work", "quantiser_work", "text_vectors_work"]

_HUB = {
    "google-t5/t5-small": (6, 512, 2048, 8, 60_506_624),
    "google-t5/t5-base": (12, 768, 3072, 12, 222_903_552),
    "google/flan-t5-base": (12, 768, 4096, 12, 247_577_856),
}
"""Layers of each side, width, inner width (of a gated one the equivalent), heads and weights."""
WRITTEN_AT_ONCE = 64
"""Requests that one beam search serves."""
SCORED_AT_ONCE = 6400
"""Candidates that one pass of the decoder scores."""


@dataclass(frozen=True)
class Targets:
    """What an epoch of a backbone reads and writes.

    Attributes:
        positions: that the encoder reads in an epoch.
        targets: identifiers that the decoder writes in an epoch.
        steps: of the optimiser.
        read: positions that a target attends to.
        batch_positions: positions in the largest batch.
        batch_targets: identifiers in the largest batch.
        texts: word pieces in the largest batch that are written as words.
        request: positions of a request.
    """

    positions: float
    targets: float
    steps: float
    read: float
    batch_positions: float
    batch_targets: float
    texts: float
    request: float


def backbone_needs(
    settings: GeneratorSettings,
    sizes: Sizes,
    tasks: tuple[Task, ...],
    targets: Targets,
    levels: int,
    codes: int,
    identifying: Sequence[Work],
    reads_text: bool = True,
) -> Needs | None:
    """Return what a generator needs; ``None`` where the hub's backbone is not one that is known.

    Args:
        settings: of the backbone.
        sizes: of the data.
        tasks: that are trained and asked for.
        targets: what an epoch holds.
        levels: codes of an identifier.
        codes: code tokens of all levels and identifiers.
        identifying: the phases before.
        reads_text: whether the vocabulary has text pieces.
    """
    backbone = _backbone(settings, sizes, levels, codes, targets.read, reads_text)
    if backbone is None:
        return None
    own = backbone.width * sizes.items
    own *= (settings.item_tokens == "own") + 2 * levels * settings.node_vectors
    weights = backbone.weights + own
    epoch = _epoch(backbone, targets, levels, codes, weights)
    request = _request(backbone, settings, sizes, targets, levels)
    learned = trained(settings, epoch, targets.steps, request, sizes, tasks).named("backbone")
    return Needs(
        (*identifying, learned),
        request,
        # Tries and codes of both identifiers are int64.
        kept=FLOAT * weights + 8 * 4 * levels * sizes.items,
        libraries=("torch", "sentence-transformers"),
    )


@dataclass(frozen=True)
class _Backbone:
    """The sizes of an encoder and a decoder, and what a position costs in each.

    ``table`` is the weights of the vocabulary's vectors, ``weights`` all of them.
    """

    layers: int
    width: int
    heads: int
    table: float
    encoder: Cost
    decoder: Cost
    weights: float


def _backbone(
    s: GeneratorSettings, sizes: Sizes, levels: int, codes: int, read: float, reads_text: bool
) -> _Backbone | None:
    """Return a backbone by its settings; ``None`` where the hub's is not one that is known."""
    known = _HUB.get(s.backbone)
    if known is None and s.backbone != "config":
        return None
    pieces = min(s.text_tokens, (sizes.item_bytes + sizes.query_bytes) / 4) * reads_text
    layers, width, inner, heads, table = known or (
        s.layers,
        s.width,
        s.feed_forward,
        s.heads,
        (pieces + codes) * s.width,
    )
    encoder = (attention(width, heads, read) + feed_forward(width, inner)) * layers
    decoder = encoder + attention(width, heads, levels) * layers
    weights = table + (0 if known else encoder.weights + decoder.weights)
    return _Backbone(layers, width, heads, table, encoder, decoder, weights)


def _epoch(backbone: _Backbone, targets: Targets, levels: int, codes: int, weights: float) -> Work:
    """Return the work of a pass over the targets: what they read, and the codes they write."""
    vocabulary = backbone.table / backbone.width
    written = backbone.decoder + linear(backbone.width, codes)
    reading = epoch_of(
        backbone.encoder,
        targets.positions,
        targets.batch_positions,
        targets.steps,
        backbone.table,
    )
    writing = epoch_of(
        written, targets.targets * levels, targets.batch_targets * levels, targets.steps
    )
    passed = in_turn(reading, writing)
    spelled = targets.texts * (backbone.decoder.floats + 3 * vocabulary) * FLOAT
    step = epoch_of(backbone.encoder, 0, targets.batch_positions, 0, backbone.table)
    held = max(step.held + targets.batch_targets * levels * written.floats * FLOAT, spelled)
    return Work(
        flop=passed.flop + 3 * 2 * targets.steps * targets.texts * backbone.table,
        moved=passed.moved + 3 * FLOAT * targets.steps * targets.texts * 2 * vocabulary,
        # A step has a pass for each kind of target.
        calls=4 * backbone.layers * targets.steps,
        held=held,
        trained=weights,
    )


def _request(
    backbone: _Backbone, s: GeneratorSettings, sizes: Sizes, targets: Targets, levels: int
) -> Work:
    """Return the work of answering a request: its beams, and the candidates of its list."""
    layers, width = backbone.layers, backbone.width
    candidates = sum(sizes.asked.get("test", {}).values()) and sizes.longest_list
    asked = in_turn(
        forward(backbone.encoder, targets.request),
        forward(backbone.decoder, (s.num_beams + candidates) * levels),
    )
    # Keys and values of each beam or candidate, what it attends to, and its own states.
    each = 2 * layers * width * (levels + 1) + 3 * backbone.heads * targets.request + 4 * width
    written_at_once = max(WRITTEN_AT_ONCE * s.num_beams, SCORED_AT_ONCE)
    return Work(
        flop=asked.flop,
        moved=asked.moved,
        calls=layers * levels * 3 * (1 / WRITTEN_AT_ONCE + candidates / SCORED_AT_ONCE),
        held=FLOAT * (written_at_once * each + WRITTEN_AT_ONCE * targets.request * 8 * width),
    )


def text_vectors_work(encoder: str, sizes: Sizes, longest: int = 256) -> Work | None:
    """Return the work of encoding the items' texts, ``None`` where the encoder is not known."""
    pieces = sizes.item_pieces(longest)
    cost = encoder_of(encoder, pieces)
    return None if cost is None else encoding(cost, sizes.items, pieces)


def collaborative_work(
    model: str, preset: str, sizes: Sizes, tasks: tuple[Task, ...]
) -> Work | None:
    """Return the work of training the model that collaborative vectors come from."""
    kind = find(model).load()
    source = kind(build_settings(kind.Settings, kind.presets, preset))
    needs = source.needs(sizes, tuple(t for t in tasks if t in kind.tasks) or (Task.REC,))
    return None if needs is None else in_turn(*needs.fit)


def quantiser_work(
    widths: Sequence[int],
    hidden: Sequence[int],
    latent: int,
    items: int,
    epochs: int,
    most_steps: int,
    batch: int,
    books: float,
) -> Work:
    """Return the work of training an autoencoder of the items' vectors.

    Args:
        widths: of the vectors, one for each branch.
        hidden: of the encoders.
        latent: of the codebooks.
        items: number of vectors.
        epochs: over them.
        most_steps: 0 for no limit.
        batch: items in a step.
        books: codes of all levels together.
    """
    network = linear(latent, books)
    for width in widths:
        sizes = [width, *hidden, latent]
        for inputs, outputs in pairwise(sizes):
            network = network + linear(inputs, outputs) * 2
    steps, per_epoch = training_steps(items, batch, epochs, most_steps)
    epoch = epoch_of(network, items, min(max(batch, 4096), items), per_epoch)
    vectors = FLOAT * items * sum(widths) * 3
    work = epoch * (steps / per_epoch)
    return replace(work, calls=3 * work.calls, held=epoch.held + vectors)
