"""Settings of GenSAR, and what each preset changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from benchmark.budget import budgeted
from benchmark.settings import setting
from gensar.engine.settings import GeneratorSettings

__all__ = [
    "ABLATIONS",
    "OWN_VECTORS_ABLATIONS",
    "OWN_VECTORS_PRESETS",
    "PRESETS",
    "SMALLEST_EPSILON",
    "GenSARSettings",
    "OwnVectorsSettings",
    "TrainingTask",
]

TrainingTask = Literal[
    "next-item",
    "search",
    "query-generation",
    "pseudo-query-search",
    "text-to-identifier",
    "identifier-to-text",
]
"""The six tasks that GenSAR is trained on (section 3.4)."""
SMALLEST_EPSILON = 0.0015
"""Sinkhorn's exponentials, of up to 1 / epsilon, are beyond float64 below this."""


@dataclass(frozen=True)
class GenSARSettings(GeneratorSettings):
    """Settings of :class:`gensar.model.GenSAR`; the defaults are those of ``standard``."""

    softmax: Literal["trie", "level", "vocabulary"] = setting(
        "level",
        "what code probabilities are normalised over: the codes that lead on to an item, all codes"
        " of the level, or the whole vocabulary as T5 does",
    )
    encoder: str = setting(
        "minilm", "text encoder of semantic vectors: the bundled MiniLM or a hub name"
    )
    collaborative: Literal["sasrec", "unisar"] = setting(
        "sasrec", "model that collaborative vectors come from; the paper's is UniSAR"
    )
    collaborative_preset: Literal["quick", "standard", "thorough", "paper"] = setting(
        "standard", "preset of that model"
    )
    identifiers: Literal["both", "semantic", "collaborative", "separate", "fused"] = setting(
        "both",
        "what the tasks write: two identifiers with shared codes as published, only one of them, "
        "two without shared codes, or one made from both vectors",
    )
    latent: int = setting(32, "width of each encoder's output in the RQ-VAE", low=1)
    rqvae_hidden: tuple[int, ...] = setting(
        (128, 64), "hidden widths of the RQ-VAE's encoders", low=1
    )
    codebook_size: int = setting(32, "codes of each level", low=1)
    shared_levels: int = setting(2, "levels that both identifiers share")
    specific_levels: int = setting(2, "levels of each identifier's own")
    sinkhorn_epsilon: float = setting(0.003, "Sinkhorn regularisation of the last specific level")
    rqvae_epochs: int = setting(200, "epochs of the RQ-VAE, at most")
    rqvae_steps: int = setting(30_000, "most steps of the RQ-VAE, 0 for no limit")
    rqvae_batch_size: int = setting(128, "items in a batch of the RQ-VAE", low=1)
    rqvae_learning_rate: float = setting(1e-3, "learning rate of the RQ-VAE", low=1e-9)
    collision_passes: int = setting(20, "rounds of Sinkhorn over items that share an identifier")
    collisions: Literal["extra-code", "paper"] = setting(
        "extra-code", "what is left after them: one more code, or shared identifiers as published"
    )
    regime: Literal["packed", "plain"] = setting(
        "packed", "packed: all targets of a sequence from one causal pass; plain: one per sample"
    )
    rec_targets: Literal["rec", "all"] = setting(
        "all", "events that rec learns from (packed): searches too, or its own as published"
    )
    without: tuple[TrainingTask, ...] = setting((), "training tasks that are left out")
    behaviour_tokens: bool = setting(
        True, "tell rec, query and search apart by tokens in history and at the decoder's start"
    )
    pseudo_queries: str = setting(
        "words",
        "queries of pseudo-query search: 'words' of the item's text, 'own' for a small T5 that "
        "learns from the data set's searches, or a doc2query model's hub name",
    )
    queries_per_item: int = setting(20, "queries that such a model writes for each item", low=1)
    recent_rec: int = setting(5, "recommendation events in a request's history (plain)")
    recent_search: int = setting(5, "search events in a request's history (plain)")
    item_text_tokens: int = setting(32, "words of an item's text that are read", low=1)
    item_samples: int = setting(96, "most samples of each item-side task in a batch (packed)")
    item_share: float = setting(
        0.25, "and at most so many for each target among the batch's own events (packed)"
    )
    search_samples: int = setting(0, "search samples in an epoch, 0 for each event once (plain)")
    query_samples: int = setting(1000, "query generation samples in an epoch (plain)")
    pseudo_samples: int = setting(1000, "pseudo-query samples in an epoch (plain)")
    text_samples: int = setting(
        2000, "text-to-identifier samples in an epoch, and as many back (plain)"
    )
    item_weight: float = setting(1.0, "weight of the item-side identifier tasks in the loss")
    text_weight: float = setting(0.1, "weight of the tasks that write text in the loss")

    @property
    def whole_answers(self) -> bool:
        """As published, where these tokens compete with all others."""
        return self.regime == "plain" and self.softmax == "vocabulary"

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.sinkhorn_epsilon < SMALLEST_EPSILON:
            raise ValueError(f"setting 'sinkhorn_epsilon': 0, or at least {SMALLEST_EPSILON}")
        if self.shared_levels + self.specific_levels < 1:
            raise ValueError("settings 'shared_levels', 'specific_levels': no level is left")
        if set(self.without) == set(get_args(TrainingTask)):
            raise ValueError("setting 'without': no training task is left")


@dataclass(frozen=True)
class OwnVectorsSettings(GenSARSettings):
    """Settings of :class:`gensar.model.OwnVectorsGenSAR`: GenSAR's, with other defaults."""

    node_vectors: bool = setting(
        True, "give each prefix of an identifier an output vector of its own (softmax=trie)"
    )
    softmax: Literal["trie", "level", "vocabulary"] = setting(
        "trie", "what code probabilities are normalised over; node_vectors want 'trie'"
    )
    item_tokens: Literal["fused", "own", "tied", "codes"] = setting(
        "tied",
        "an item in the input is one summed embedding, the same with a vector of the item's own or "
        "with the output vector of its whole identifier (node_vectors), or one token for each code "
        "as published",
    )
    codebook_size: int = setting(256, "codes of each level", low=1)
    shared_levels: int = setting(1, "levels that both identifiers share")
    specific_levels: int = setting(1, "levels of each identifier's own")


PRESETS = budgeted(
    {
        "quick": {
            "collaborative_preset": "quick",
            "rqvae_epochs": 30,
            "width": 48,
            "layers": 1,
            "steps": 60,
            "validate_every": 50,
            "validation_requests": 100,
        },
        "thorough": {
            "item_weight": 0.5,
        },
        "paper": {
            "encoder": "BAAI/bge-base-en-v1.5",
            "collaborative": "unisar",
            "collaborative_preset": "paper",
            "rqvae_hidden": (512, 256, 128, 64),
            "codebook_size": 256,
            "rqvae_epochs": 500,
            "rqvae_steps": 0,
            "rqvae_batch_size": 1024,
            "collisions": "paper",
            "rec_targets": "rec",
            "backbone": "google-t5/t5-small",
            "codebook_start": False,
            "regime": "plain",
            "item_tokens": "codes",
            "softmax": "vocabulary",
            "query_tokens": 64,
            "item_text_tokens": 256,
            "pseudo_queries": "doc2query/msmarco-t5-base-v1",
            "batch_size": 64,
            "accumulate": 128,
            "search_samples": 100_000,
            "learning_rate": 1e-3,
            "weight_decay": 1e-7,
            "warm_up": 250,
            "epochs": 200,
            "validation_requests": 10_000,
            "num_beams": 30,
            "candidate_decoding": "beam",
        },
    }
)

OWN_VECTORS_PRESETS = {**PRESETS, "paper": budgeted({})["paper"]}
"""Nothing of the kind was published: ``paper`` is ``standard`` without a limit of time."""

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "semantic identifier only": {"identifiers": "semantic"},
    "collaborative identifier only": {"identifiers": "collaborative"},
    "no shared codes": {"identifiers": "separate"},
    "one fused identifier": {"identifiers": "fused"},
    **{f"without {task}": {"without": (task,)} for task in get_args(TrainingTask)},
    "without behaviour tokens": {"behaviour_tokens": False},
}
"""What each part of GenSAR is worth: a name, and what it changes in any settings."""
OWN_VECTORS_ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    **ABLATIONS,
    "own vectors among answers only": {"item_tokens": "fused"},
    "without own vectors": {"node_vectors": False, "item_tokens": "fused"},
}
"""The same for GenSAR with vectors of its prefixes' own."""
