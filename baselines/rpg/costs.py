"""What RPG needs: vectors and their codes, the layers, a softmax for each digit, and the graph."""

from __future__ import annotations

from baselines.rpg.product_codes import LAST_PASSES, PASSES
from baselines.rpg.settings import RPGSettings
from benchmark.data.requests import Task
from benchmark.learning.costs import FLOAT, Cost, epoch_of, forward, linear, trained, transformer
from benchmark.needs import Library, Needs, Sizes, Work
from gensar.engine.needs import text_vectors_work

__all__ = ["REQUESTS_AT_ONCE", "rpg_needs"]

REQUESTS_AT_ONCE = 64
"""Requests that are answered together."""
INDEX = 8
"""Bytes of a code."""


def rpg_needs(settings: RPGSettings, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
    """Return what a run needs; ``None`` where the text encoder is not one that is known."""
    s, events = settings, sizes.events
    vectors = _vectors(s, sizes)
    if vectors is None:
        return None
    if s.history == "rec":
        events -= sizes.searches
    window = sizes.window(s.max_history)
    heads = (linear(s.width, s.width) + Cost(floats=4 * s.width)) * s.digits
    softmax = Cost(flop=2 * s.digits * s.codebook_size * s.width)
    network = transformer(s.layers, s.width, s.inner, s.heads, window) + heads + softmax
    table = (s.digits * s.codebook_size + s.max_history) * s.width
    steps = sizes.stretches(s.max_history, events) / s.batch_size
    epoch = epoch_of(network, events, s.batch_size * window, steps, table)
    exact, read = s.decoding == "exact", forward(network, sizes.mean_window(s.max_history))
    met = s.num_beams * (1 + s.edges)
    scored = sizes.items if exact else met * s.propagation_steps
    scores = 2 * FLOAT * sizes.at_once * sizes.items
    found = scores if exact else REQUESTS_AT_ONCE * met * s.digits * (INDEX + FLOAT)
    reading = window * network.floats / 3 + s.digits * s.codebook_size
    request = Work(
        flop=read.flop,
        moved=read.moved + FLOAT * s.digits * scored,
        calls=1 / REQUESTS_AT_ONCE,
        held=FLOAT * REQUESTS_AT_ONCE * reading + found,
    )
    graph = Work(moved=FLOAT * s.digits * float(sizes.items) ** 2, held=scores, name="graph")
    trainings = trained(s, epoch, steps, request, sizes, tasks).named("network")
    kept = FLOAT * (network.weights + table) + INDEX * s.digits * sizes.items
    libraries: tuple[Library, ...] = ("torch",)
    return Needs(
        (vectors, _coding(s, sizes), trainings, *(() if exact else (graph,))),
        request,
        kept=kept + (0 if exact else INDEX * s.edges * sizes.items),
        libraries=(*libraries, "sentence-transformers") if s.vectors == "content" else libraries,
    )


def _vectors(settings: RPGSettings, sizes: Sizes) -> Work | None:
    """Return the work of the items' vectors."""
    s = settings
    if s.vectors == "content":
        texts = text_vectors_work(s.encoder, sizes)
        return None if texts is None else texts.named("item vectors")
    held = 4 * FLOAT * (sizes.items + sizes.users) * s.components
    return Work(flop=60.0 * s.components * sizes.events, held=held, name="item vectors")


def _coding(settings: RPGSettings, sizes: Sizes) -> Work:
    """Return the work of learning their codes."""
    s, passes = settings, PASSES * settings.rotations + LAST_PASSES
    return Work(
        flop=2.0 * passes * sizes.items * s.components * s.codebook_size,
        moved=2.0 * FLOAT * passes * sizes.items * s.digits * s.codebook_size,
        calls=passes * s.digits,
        held=8.0 * FLOAT * sizes.items * s.components,
        name="identifiers",
    )
