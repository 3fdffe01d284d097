"""GenSAR: one generative model for search and recommendation (Shi et al. 2025)."""

from benchmark.registry import ModelEntry

MODELS = (
    ModelEntry(
        "gensar",
        ("rec", "search"),
        "joint",
        "generates an item's semantic identifier for search, its collaborative one for rec",
        "gensar.model:GenSAR",
        "Shi et al. 2025, arXiv 2504.05730",
        uses=("sasrec", "unisar"),
    ),
    ModelEntry(
        "gensar+own",
        ("rec", "search"),
        "joint",
        "gensar with an output vector of its own for each prefix of an identifier",
        "gensar.model:OwnVectorsGenSAR",
        "Shi et al. 2025, arXiv 2504.05730, with what is not in the paper",
        uses=("sasrec", "unisar"),
    ),
)
