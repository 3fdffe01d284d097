"""Three transformers over two histories, and the fusion of what they find."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from baselines.two_histories.attention import DecoderLayer, EncoderLayer
from baselines.two_histories.network import Events
from baselines.unisar.settings import UniSARSettings

__all__ = ["HistoryEncoder", "Reading"]


@dataclass(frozen=True)
class Reading:
    """Events of one kind after the transformers.

    Attributes:
        within: states that attended to events of this kind (rec2rec, src2src).
        across: states that attended to events of the other kind (src2rec, rec2src).
        fused: both fused; all three ``[requests, places, width]``.
        real: bool ``[requests, places]``.
    """

    within: Tensor
    across: Tensor
    fused: Tensor
    real: Tensor


class HistoryEncoder(nn.Module):
    """Reads what was recommended and what was searched for, each alone and through the other.

    The paper's third transformer runs over all events in the order of time, with a mask that
    forbids pairs of the same kind. Then an event attends to just the events of the other kind, so
    the same layer applied from either kind to the other, with the positions of the common order,
    computes the same states at half the cost; an event without partner attends to nothing.

    Positions are learned and count back from the latest event, so that they say how recent an
    event is in a short history too.
    """

    def __init__(self, settings: UniSARSettings) -> None:
        super().__init__()
        self.rec_age = nn.Embedding(settings.max_history, settings.width)
        self.search_age = nn.Embedding(settings.max_history, settings.width)
        self.age_among_all = nn.Embedding(2 * settings.max_history, settings.width)
        for ages in (self.rec_age, self.search_age, self.age_among_all):
            nn.init.normal_(ages.weight, std=0.02)
        layer = (settings.width, settings.heads, settings.inner, settings.dropout)
        self.rec = nn.ModuleList(EncoderLayer(*layer) for _ in range(settings.layers))
        self.search = nn.ModuleList(EncoderLayer(*layer) for _ in range(settings.layers))
        self.cross = nn.ModuleList(EncoderLayer(*layer) for _ in range(settings.layers))
        self.fuse_rec = DecoderLayer(*layer)
        self.fuse_search = DecoderLayer(*layer)

    def forward(self, rec: Events, search: Events) -> tuple[Reading, Reading]:
        """Return the readings of both kinds, in the order of the arguments."""
        rec_within = _within(self.rec, rec.vectors + self.rec_age(rec.age), rec.real)
        search_within = _within(
            self.search, search.vectors + self.search_age(search.age), search.real
        )
        rec_across, search_across = self.transitions(rec, search)
        return (
            Reading(
                rec_within, rec_across, self.fuse_rec(rec_within, rec_across, rec.real), rec.real
            ),
            Reading(
                search_within,
                search_across,
                self.fuse_search(search_within, search_across, search.real),
                search.real,
            ),
        )

    def transitions(self, rec: Events, search: Events) -> tuple[Tensor, Tensor]:
        """Return the states of both kinds after attention to the respective other one."""
        rec_states = rec.vectors + self.age_among_all(rec.age_among_all)
        search_states = search.vectors + self.age_among_all(search.age_among_all)
        for layer in self.cross:
            rec_states, search_states = (
                layer(rec_states, search_states, search.real),
                layer(search_states, rec_states, rec.real),
            )
        return rec_states, search_states


def _within(layers: nn.ModuleList, states: Tensor, real: Tensor) -> Tensor:
    for layer in layers:
        states = layer(states, states, real)
    return states
