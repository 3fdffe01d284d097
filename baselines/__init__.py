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
        "bm25+pop",
        ("search",),
        "baseline",
        "BM25 plus a share of popularity: a control for personalised search",
        "baselines.bm25_pop:BM25Pop",
    ),
    ModelEntry(
        "dense",
        ("search",),
        "baseline",
        "exact search by sentence vectors, tuned on training queries and clicked items",
        "baselines.dense:Dense",
        "Reimers and Gurevych 2019; in-batch negatives, Karpukhin et al. 2020",
    ),
    ModelEntry(
        "hybrid",
        ("search",),
        "baseline",
        "reciprocal rank fusion of bm25 and dense",
        "baselines.hybrid:Hybrid",
        "Cormack, Clarke and Buettcher 2009",
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
        "tiger",
        ("rec",),
        "baseline",
        "writes the next item's semantic identifier, learned from the items' texts by an RQ-VAE",
        "baselines.generative.tiger:Tiger",
        "Rajput et al. 2023",
    ),
    ModelEntry(
        "semantic-ids",
        ("rec", "search"),
        "joint",
        "one identifier for both tasks, quantised from an encoder tuned on queries and neighbours",
        "baselines.generative.semantic_ids:SemanticIds",
        "Penha et al. 2025",
    ),
)
