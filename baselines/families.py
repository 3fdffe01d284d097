"""Models that are made by their names: any text encoder, and any cross-encoder behind a search."""

from __future__ import annotations

from benchmark.errors import InputError
from benchmark.plain_text import plain
from benchmark.registry import ModelEntry, ModelFamily, find

__all__ = ["FAMILIES"]

_SEARCH = ("search",)


def _encoder(name: str) -> ModelEntry:
    """Return the entry of search by the encoder of this name."""
    return ModelEntry(
        "encoder:NAME",
        _SEARCH,
        "baseline",
        "exact search by the vectors of an encoder that learns nothing here",
        "baselines.encoder:EncoderSearch",
        "Reimers and Gurevych 2019",
        settings=(("encoder", name),),
    )


def _reranker(parts: str) -> ModelEntry:
    """Return the entry of a cross-encoder behind a search model, of ``FIRST+NAME``.

    Names of models may hold a plus: FIRST is the longest beginning that is one.

    Raises:
        InputError: no beginning is a model, or that model serves no search.
    """
    first, used, name = _parted(parts)
    if "search" not in used.tasks:
        raise InputError(
            f"model 'rerank:{plain(parts, 200)}': {first} serves {', '.join(used.tasks)} only"
        )
    return ModelEntry(
        "rerank:FIRST+NAME",
        _SEARCH,
        "baseline",
        "a cross-encoder reorders the best of another model",
        "baselines.rerank:Rerank",
        "Nogueira and Cho 2019",
        uses=(used.source.partition(":")[0], *used.uses),
        settings=(("first", first), ("cross_encoder", name)),
    )


def _parted(parts: str) -> tuple[str, ModelEntry, str]:
    """Return FIRST, its entry, and NAME."""
    places = [place for place, sign in enumerate(parts) if sign == "+"]
    faults: list[InputError] = []
    for place in reversed(places):
        first, name = parts[:place].strip(), parts[place + 1 :].strip()
        if not first or not name:
            continue
        try:
            return first, find(first), name
        except InputError as error:
            faults.append(error)
    # Of the shortest beginning: in most names it is all of FIRST.
    reason = str(faults[-1]) if faults else f"write it as {_RERANKER.form}"
    raise InputError(f"model 'rerank:{plain(parts, 200)}': {reason}") from None


_RERANKER = ModelFamily(
    "rerank:FIRST+NAME",
    _SEARCH,
    "baseline",
    "the best of any model that searches, reordered by the cross-encoder of this name",
    _reranker,
)

FAMILIES = (
    ModelFamily(
        "encoder:NAME",
        _SEARCH,
        "baseline",
        "exact search by any sentence encoder, a hub name or a folder, as it was published",
        _encoder,
    ),
    _RERANKER,
)
