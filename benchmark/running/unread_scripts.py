"""A remark where models read texts by an encoder that does not know their script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmark.data.scripts import letters_outside_latin
from benchmark.running.plan import Experiment
from benchmark.settings import BUNDLED

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

__all__ = ["unread_scripts"]

MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
_TEXTS = 10_000


def unread_scripts(experiments: Sequence[Experiment], dataset: Dataset) -> Iterator[str]:
    """Yield a line where the installed text encoder would read what it has not learned.

    That is where most letters are of another script than Latin, or texts are tokens.

    Args:
        experiments: what is to be trained.
        dataset: on which.
    """
    readers = [e.entry.name for e in experiments if BUNDLED in asdict(e.settings).values()]
    texts = dataset.items.texts[:: 1 + len(dataset.items) // _TEXTS]
    if not readers:
        return
    who = f"{dataset.name}: the text encoder '{BUNDLED}' of {', '.join(dict.fromkeys(readers))}"
    if dataset.train.analyser == "tokens":
        yield f"{who} reads English, but the items' texts are tokens: it learns nothing from them"
    elif (share := letters_outside_latin(texts)) > 0.5:
        yield (
            f"{who} reads English, but {share:.0%} of the letters of items are not Latin;"
            f" a multilingual encoder reads them: --set encoder={MULTILINGUAL}"
        )
