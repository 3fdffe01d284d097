"""What a notebook asks of a generator: items by name for a history by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.data.request_by_hand import request_by_ids
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import InputError
from benchmark.model_protocols import RankedItem
from gensar.engine.settings import GeneratorSettings

__all__ = ["NotebookApi"]


class NotebookApi(ABC):
    """``recommend`` and ``search`` of a model that was trained or loaded."""

    settings: GeneratorSettings
    item_ids: tuple[str, ...]
    item_titles: tuple[str, ...]
    trained_for: tuple[Task, ...]

    @abstractmethod
    def retrieve_by(
        self, requests: Requests, k: int, beams: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best ``k`` items of the catalogue and their scores by so many beams."""

    def recommend(
        self, history: Sequence[str | tuple[str, str]], k: int = 10, again: bool = False
    ) -> list[RankedItem]:
        """Return the ``k`` items that a user takes next, best first.

        Args:
            history: what the user took so far, oldest first: an item's id, or an item's id and the
                words by which the user found it.
            k: number of items.
            again: whether items of the history may be given again.

        Raises:
            InputError: an item is unknown, words are no text, ``k`` is not positive, or the model
                was not trained to recommend.
        """
        return self._answers(Task.REC, history, None, k, again)

    def search(
        self, history: Sequence[str | tuple[str, str]], query: str, k: int = 10
    ) -> list[RankedItem]:
        """Return the ``k`` items that the user searches for, best first; see :meth:`recommend`."""
        if not query.strip():
            raise InputError("a search needs words")
        return self._answers(Task.SEARCH, history, query, k, again=True)

    def _answers(
        self,
        task: Task,
        history: Sequence[str | tuple[str, str]],
        query: str | None,
        k: int,
        again: bool,
    ) -> list[RankedItem]:
        if task not in self.trained_for:
            raise InputError(f"this {type(self).__name__} was not trained for {task}")
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        request = request_by_ids(history, self.item_ids, task, query, not again)
        k = min(k, len(self.item_ids))
        answer = self.retrieve_by(request, k, max(k, self.settings.num_beams))
        items, scores = (part[0].tolist() for part in answer)
        return [
            RankedItem(self.item_ids[item], self.item_titles[item], score)
            for item, score in zip(items, scores, strict=True)
            if item != PAD
        ]
