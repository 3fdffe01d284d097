"""The sequential models of RecBole 1.2.1: those that run here, and why the others do not.

Static tables, so that a listing imports neither torch nor RecBole.
"""

from __future__ import annotations

from benchmark.registry import ModelEntry

__all__ = ["ENTRIES", "OBSTACLES", "RUNNABLE"]

RUNNABLE: dict[str, tuple[str, str]] = {
    "BERT4Rec": ("masked items told by a bidirectional transformer", "Sun et al. 2019"),
    "CORE": ("a session is a weighted sum of its items' embeddings", "Hou et al. 2022"),
    "Caser": ("convolutions over the last items, as over an image", "Tang and Wang 2018"),
    "DIEN": ("interests that evolve: GRU gated by the candidate", "Zhou et al. 2019"),
    "DIN": ("attention from the candidate to the history", "Zhou et al. 2018"),
    "FEARec": ("attention in the time and the frequency domain", "Du et al. 2023"),
    "FOSSIL": ("item similarity and a Markov chain of higher order", "He and McAuley 2016"),
    "FPMC": ("factorised personal Markov chain", "Rendle et al. 2010"),
    "GCSAN": ("graph network, then self-attention", "Xu et al. 2019"),
    "GRU4Rec": ("recurrent network over the items", "Tan et al. 2016"),
    "GRU4RecCPR": ("GRU4Rec, its softmax split by context", "Chang et al. 2024"),
    "HGN": ("gates over features and items", "Ma et al. 2019"),
    "HRM": ("pooling of user and last items in two layers", "Wang et al. 2015"),
    "LightSANs": ("self-attention to a few latent interests", "Fan et al. 2021"),
    "NARM": ("recurrent network with attention", "Li et al. 2017"),
    "NPE": ("personal embedding plus embedding of the history", "Nguyen et al. 2018"),
    "NextItNet": ("dilated causal convolutions", "Yuan et al. 2019"),
    "RepeatNet": ("repeats and explores by separate decoders", "Ren et al. 2019"),
    "SASRec": ("self-attention, one target for each sample", "Kang and McAuley 2018"),
    "SASRecCPR": ("SASRec, its softmax split by context", "Chang et al. 2024"),
    "SHAN": ("attention in two layers, long-term and short-term", "Ying et al. 2018"),
    "SINE": ("several interests from a pool of prototypes", "Tan et al. 2021"),
    "SRGNN": ("graph network over the items of a session", "Wu et al. 2019"),
    "STAMP": ("attention with priority for the last item", "Liu et al. 2018"),
    "TransRec": ("a user translates an item to the next", "He et al. 2017"),
}
"""What each model is in a few words, and its paper."""

_KNOWLEDGE = "it needs vectors pretrained on a knowledge graph, which no data set here has"
_COLUMNS = "it reads item columns through RecBole's own data set; the bridge gives it ids only"

OBSTACLES: dict[str, str] = {
    "FDSA": _COLUMNS,
    "GRU4RecF": _COLUMNS,
    "GRU4RecKG": _KNOWLEDGE,
    "KSR": _KNOWLEDGE,
    "S3Rec": "it is pretrained on item columns that RecBole's own data set reads, and it reads"
    " those weights back by unpickling",
    "SASRecF": _COLUMNS,
}
"""Why a model cannot run, to follow "it cannot run here: "."""

_SOURCE = "baselines.recbole_bridge.model"

ENTRIES: tuple[ModelEntry, ...] = (
    *(
        ModelEntry(f"recbole:{name}", ("rec",), "baseline", summary, f"{_SOURCE}:{name}", reference)
        for name, (summary, reference) in RUNNABLE.items()
    ),
    *(
        ModelEntry(
            f"recbole:{name}", ("rec",), "baseline", "", f"{_SOURCE}:{name}", obstacle=reason
        )
        for name, reason in OBSTACLES.items()
    ),
)
