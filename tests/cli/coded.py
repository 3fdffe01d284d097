"""A model that names items by codes, and tells of identifiers that have hostile names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.model_protocols import IdentifierFacts, LevelUse, PrefixShare
from benchmark.registry import ModelEntry
from tests.hostile import HOSTILE
from tests.results.handmade import Distinct

__all__ = ["ENTRIES", "IDENTIFIERS", "Angry", "Coded"]

_ALL = "\n".join(HOSTILE.values())
_SPACE = HOSTILE["formula"] + HOSTILE["link"]
IDENTIFIERS = {name: HOSTILE[name] for name in ("link", "lines", "script", "formula", "TeX")}


class Coded(Distinct):
    """Gives each item its row's digits as codes, under several hostile names."""

    item_ids: tuple[str, ...] = ()
    item_titles: tuple[str, ...] = ()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        self.item_ids, self.item_titles = train.items.ids, train.items.titles
        level, share = LevelUse(10, 10, 9.5), PrefixShare(0.5, 0.1)
        facts = IdentifierFacts(
            (0.0,), 0, (level, level), {HOSTILE["formula"] + HOSTILE["link"]: (share, share)}
        )
        context.run_log.facts["identifiers"] = {
            name: facts.to_json() for name in IDENTIFIERS.values()
        }

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        return {}, {"ids": self.item_ids, "titles": self.item_titles}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        self.item_ids, self.item_titles = tuple(values["ids"]), tuple(values["titles"])

    def item_codes(self) -> dict[str, NDArray[np.int64]]:
        rows = np.arange(len(self.item_ids))
        codes = np.stack([rows // 10, rows % 10], axis=1)
        return dict.fromkeys(IDENTIFIERS.values(), codes)


class Angry(Distinct):
    """Fails, and says much."""

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        raise RuntimeError(_ALL)


ENTRIES = {
    name: ModelEntry(name, ("rec", "search"), "baseline", summary, f"{__name__}:{kind}", obstacle)
    for name, kind, summary, obstacle in (
        ("coded", "Coded", _ALL, ""),
        ("angry", "Angry", _ALL, ""),
        ("barred", "Coded", _ALL, _ALL),
    )
}
