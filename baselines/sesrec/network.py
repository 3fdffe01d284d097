"""SESRec's network: from embeddings to the score of a candidate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.sesrec.interests import CoAttention, Interests
from baselines.sesrec.settings import SESRecSettings
from baselines.two_histories.alignment import Alignment
from baselines.two_histories.attention import EncoderLayer, TargetAttention, masked_softmax
from baselines.two_histories.network import CandidateNetwork, Events, some_candidates
from benchmark.data.requests import Task

__all__ = ["HEAD", "VIEWS", "AskedRequests", "SESRecNetwork"]

HEAD = (200, 80)
"""Widths of the layers in front of the score."""
VIEWS = 6
"""Of a candidate: all, similar and dissimilar events of either history."""


@dataclass(frozen=True)
class AskedRequests:
    """A batch of requests after everything that does not depend on a candidate.

    Attributes:
        rec: the recommendation history, split.
        search: the search history, split.
        users: ``[requests, width]``.
    """

    rec: Interests
    search: Interests
    users: Tensor


class SESRecNetwork(CandidateNetwork):
    """Embeddings, a transformer for each history, co-attention, target attention, dense layers."""

    def __init__(
        self, users: int, item_words: Tensor, pieces: int, settings: SESRecSettings
    ) -> None:
        """Build with fresh weights, as :class:`CandidateNetwork` is."""
        super().__init__(users, item_words, pieces, settings)
        width = settings.width
        self.rec_age = nn.Embedding(settings.max_history, width)
        self.search_age = nn.Embedding(settings.max_history, width)
        for ages in (self.rec_age, self.search_age):
            nn.init.normal_(ages.weight, std=0.02)
        layer = (width, settings.heads, settings.inner, settings.dropout, functional.leaky_relu)
        self.rec = nn.ModuleList(EncoderLayer(*layer) for _ in range(settings.layers))
        self.search = nn.ModuleList(EncoderLayer(*layer) for _ in range(settings.layers))
        self.interests = CoAttention(width)
        self.target_rec = TargetAttention(width)
        self.target_search = TargetAttention(width)
        self.first = nn.Linear((VIEWS + 2) * width, HEAD[0])
        self.second, self.last = nn.Linear(*HEAD), nn.Linear(HEAD[1], 1)
        self.dropout = nn.Dropout(settings.dropout)
        self.match = nn.Linear((VIEWS + 1) * width, width, bias=False) if settings.match else None
        self.align = Alignment(width, settings.align_temperature)

    def ask(
        self, rec: Events, search: Events, users: Tensor, queries: Tensor | None
    ) -> AskedRequests:
        """Return the requests after everything that does not depend on a candidate."""
        states = []
        for events, ages, layers in (
            (rec, self.rec_age, self.rec),
            (search, self.search_age, self.search),
        ):
            read = events.vectors + ages(events.age)
            for layer in layers:
                read = layer(read, read, events.real)
            states.append(read)
        of_rec, of_search = self.interests(states[0], rec.real, states[1], search.real)
        return AskedRequests(of_rec, of_search, users)

    def score(
        self, task: Task, asked: AskedRequests, items: Tensor, chosen: Tensor | None
    ) -> Tensor:
        """Return scores ``[requests, 1, candidates]``.

        What is behind the target attention, the first dense layer and the bilinear score, is linear
        in its six views, so it is applied to the events before they are summed up: each of few
        events is multiplied once for a request instead of six views for every candidate.
        """
        of_views, of_item, of_user = self._weights(items.shape[1])
        of_rec, of_search = of_views.chunk(2, dim=1)
        values = torch.cat([*_values(asked.rec, of_rec), *_values(asked.search, of_search)], dim=1)
        keys = self.target_rec.keys(asked.rec.states), self.target_search.keys(asked.search.states)
        about = functional.linear(asked.users, of_user, self._bias()).unsqueeze(1)
        scores = []
        tables = (items, functional.linear(items, of_item))
        for candidates, share in some_candidates(tables, chosen, len(asked.users)):
            looks = [
                *_looks(candidates @ keys[0].transpose(1, 2), asked.rec),
                *_looks(candidates @ keys[1].transpose(1, 2), asked.search),
            ]
            hidden = torch.cat(looks, dim=-1) @ values + about
            first, matched = hidden.split([HEAD[0], hidden.shape[-1] - HEAD[0]], dim=-1)
            first = self.dropout(functional.relu(first + share))
            score = self.last(self.dropout(functional.relu(self.second(first)))).squeeze(-1)
            if self.match is not None:
                score = score + (matched * candidates).sum(dim=-1)
            scores.append(score)
        return torch.cat(scores, dim=1).unsqueeze(1)

    def _weights(self, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return what multiplies the views, the item and the user, ``[outputs, n * width]``.

        Outputs are those of the first dense layer and, for views and user, of the bilinear score.
        """
        views, item, user = self.first.weight.split([VIEWS * width, width, width], dim=1)
        if self.match is not None:
            of_views, of_user = self.match.weight.split([VIEWS * width, width], dim=1)
            views, user = torch.cat([views, of_views]), torch.cat([user, of_user])
        return views, item, user

    def _bias(self) -> Tensor:
        """Return what is added to the first dense layer's outputs, and to the bilinear score's."""
        more = 0 if self.match is None else self.match.out_features
        return functional.pad(self.first.bias, (0, more))


def _looks(logits: Tensor, interests: Interests) -> tuple[Tensor, Tensor]:
    """Return how much a candidate looks at each event, both ``[requests, candidates, places]``.

    Among all events, and among those that are similar or dissimilar as the event itself is: no
    event is both, but where all are, and there the second view is worth what the first one is.
    """
    all_real, similar, others = (
        mask.unsqueeze(1)
        for mask in (interests.real, interests.similar, interests.real & ~interests.similar)
    )
    among = masked_softmax(logits, similar, -1) + masked_softmax(logits, others, -1)
    return masked_softmax(logits, all_real, -1), among


def _values(interests: Interests, of_views: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each event is worth to whoever looks at it, for both of its :func:`_looks`.

    Args:
        interests: the history.
        of_views: weights of its views of all, similar and dissimilar events, side by side,
            ``[outputs, 3 * width]``.

    Returns:
        both ``[requests, places, outputs]``.
    """
    overall, similar, dissimilar = (
        functional.linear(interests.states, of_view)
        for of_view in of_views.split(interests.states.shape[-1], dim=1)
    )
    both = (interests.similar & interests.dissimilar).unsqueeze(-1)
    own = torch.where(interests.similar.unsqueeze(-1), similar, dissimilar)
    return overall + dissimilar * both, own
