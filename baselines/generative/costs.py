"""What the generative baselines need beside the backbone."""

from __future__ import annotations

from baselines.generative.settings import IdentifierSettings
from benchmark.data.requests import Task
from benchmark.needs import Sizes, Work
from gensar.engine.needs import Targets, quantiser_work
from gensar.engine.settings import GeneratorSettings

__all__ = ["apart_targets", "quantisation_work"]

TEXT_WIDTH = 384
"""Of the bundled text encoder's vectors."""
KMEANS_PASSES = 50
"""Passes of k-means over the items of a level, about."""


def quantisation_work(settings: IdentifierSettings, items: int) -> Work:
    """Return the work of quantising the vectors of the items."""
    s = settings
    books = s.levels * s.codebook_size
    if s.quantiser == "rq-vae":
        return quantiser_work(
            [TEXT_WIDTH],
            s.rqvae_hidden,
            s.latent,
            items,
            s.rqvae_epochs,
            s.rqvae_steps,
            s.rqvae_batch_size,
            books,
        )
    flop = 2.0 * KMEANS_PASSES * items * TEXT_WIDTH * books
    return Work(flop=flop, calls=KMEANS_PASSES * s.levels, held=4.0 * 4 * items * TEXT_WIDTH)


def apart_targets(
    settings: GeneratorSettings,
    sizes: Sizes,
    tasks: tuple[Task, ...],
    search_batch: int,
    written: float = 0.0,
) -> Targets:
    """Return what an epoch of histories and of pairs of query and item reads and writes.

    Args:
        settings: windows and lengths.
        sizes: of the data.
        tasks: that are trained.
        search_batch: most pairs in a step.
        written: pairs beside the real searches.
    """
    s, rec = settings, Task.REC in tasks
    pieces = sizes.query_pieces(s.query_tokens) + 1
    pairs = (sizes.searches if Task.SEARCH in tasks else 0) + written
    window = sizes.window(s.max_history) if rec else 0
    events = sizes.events if rec else 0
    sequences = sizes.stretches(s.max_history) / s.batch_size if rec else 0
    steps = max(sequences, pairs / search_batch, 1.0)
    share = min(search_batch, pairs / steps)
    batch = s.batch_size if rec else 0
    return Targets(
        positions=events + pairs * pieces,
        targets=events + pairs,
        steps=steps,
        read=sizes.mean_window(s.max_history) if rec else pieces,
        batch_positions=max(batch * window, share * pieces),
        batch_targets=max(batch * window, share),
        texts=0.0,
        request=max(window, pieces),
    )
