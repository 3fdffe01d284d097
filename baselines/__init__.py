"""The baselines, each behind the harness's Model interface. Importing this imports none of them."""

from benchmark.registry import ModelEntry

MODELS = (
    ModelEntry(
        "random",
        ("rec", "search"),
        "diagnostic",
        "scores drawn at random: what the metrics give for nothing",
        "baselines.diagnostic:Random",
    ),
    ModelEntry(
        "constant",
        ("rec", "search"),
        "diagnostic",
        "the same score for everything: tests how ties are settled",
        "baselines.diagnostic:Constant",
    ),
    ModelEntry(
        "popularity",
        ("rec", "search"),
        "baseline",
        "ranks items by their number of training events",
        "baselines.popularity:Popularity",
    ),
    ModelEntry(
        "bm25",
        ("search",),
        "baseline",
        "BM25 over item text, with stemming",
        "baselines.bm25:BM25",
        "Robertson and Zaragoza 2009; bm25s, Lu 2024",
    ),
    ModelEntry(
        "sasrec",
        ("rec",),
        "baseline",
        "self-attention over the item sequence, RecBole's module, a loss at every position",
        "baselines.sasrec:SASRec",
        "Kang and McAuley 2018",
    ),
    ModelEntry(
        "unisar",
        ("rec", "search"),
        "joint",
        "scores candidates from both histories and the transitions between them",
        "baselines.unisar.model:UniSAR",
        "Shi et al. 2024",
    ),
)
