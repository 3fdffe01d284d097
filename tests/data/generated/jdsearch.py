"""JDsearch's two files in their published layout, of any size, written in parts.

Fields, their order, the separators (tabs, "_" between the members of a list, byte 0x18 between the
terms of a text), the labels as ``1.0`` and the list of gaps that is one longer are those of the
published files; what stands in them is drawn. ``FULL`` has the published counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray

__all__ = ["FULL", "LOG_HEADER", "PRODUCT_HEADER", "Mall", "write_card", "write_jdsearch"]

LOG_HEADER = (
    "query\tcandidate_wid_list\tcandidate_label_list\thistory_qry_list\thistory_wid_list\t"
    "history_type_list\thistory_time_list"
)
PRODUCT_HEADER = (
    "wid\tname\tbrand_id\tbrand_name\tcate_id_1\tcate_name_1\tcate_id_2\tcate_name_2\tcate_id_3\t"
    "cate_name_3\tcate_id_4\tcate_name_4\tshop_id"
)
_TYPES = np.array(["CLICK", "CART", "ORD", "FLW"])
_PART = 20_000
_TERMS = 50_000


@dataclass(frozen=True)
class Mall:
    """How large, and how.

    Attributes:
        users: lines of ``release_data.txt``.
        products: that there are; 1 in 50 has no line in ``product_data.txt``.
        events: about so many in all histories.
        candidates: the most that are shown for a test query.
        header: whether the files name their fields in the first line, as the published samples do.
        seed: of all draws.
    """

    users: int = 60
    products: int = 300
    events: int = 1_500
    candidates: int = 40
    header: bool = True
    seed: int = 0


FULL = Mall(173_831, 12_872_636, 26_667_260, 200)


def write_jdsearch(folder: Path, mall: Mall) -> dict[str, str]:
    """Write the files into ``folder``; return their names by what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(mall.seed)
    names = {"log": "release_data.txt", "products": "product_data.txt"}
    parts = (
        _users(rng, mall, min(_PART, mall.users - start)) for start in range(0, mall.users, _PART)
    )
    _write(folder / names["log"], LOG_HEADER if mall.header else None, parts)
    listed = np.flatnonzero(np.arange(mall.products) % 50 != 49)
    rows = (
        _products(rng, listed[start : start + 10 * _PART])
        for start in range(0, len(listed), 10 * _PART)
    )
    _write(folder / names["products"], PRODUCT_HEADER if mall.header else None, rows)
    return names


def write_card(folder: Path, files: dict[str, str], **fields: object) -> Path:
    """Write a card of format ``jdsearch`` beside the files; ``fields`` go into it."""
    card = {
        "name": "generated-jdsearch",
        "description": "Generated.",
        "source": "tests/data/generated",
        "licence": "none",
        "citation": "none",
        "format": "jdsearch",
        "files": {what: {"name": name} for what, name in files.items()},
        "title": "{name}",
        "text": ["brand_name", "cate_name_4"],
        **fields,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return folder


def _users(rng: np.random.Generator, mall: Mall, users: int) -> list[pa.Array]:
    """Return the seven fields of some lines."""
    mean = mall.events / mall.users
    length = rng.geometric(1 / max(mean, 1), users) if mean > 1 else rng.integers(0, 2, users)
    shown = rng.integers(2, mall.candidates + 1, users)
    label = rng.choice(4, int(shown.sum()), p=[0.93, 0.04, 0.01, 0.02])
    first = np.cumsum(shown) - shown
    label[first] = np.where(rng.random(users) < 0.97, rng.integers(1, 4, users), 0)
    gap = (rng.pareto(0.6, int((length + 1).sum())) * 20).astype(np.int64) % 30_000_000
    gap[np.cumsum(length + 1) - length - 1] = 0
    return [
        _texts(rng, rng.integers(0, min(_TERMS, mall.products), users)),
        _joined(_ids(_popular(rng, mall, len(label))), shown),
        _joined(pc.binary_join_element_wise(_strings(label), "0", "."), shown),
        _joined(_queries(rng, mall, int(length.sum())), length),
        _joined(_ids(_popular(rng, mall, int(length.sum()))), length),
        _joined(pa.array(rng.choice(_TYPES, int(length.sum()), p=[0.5, 0.3, 0.15, 0.05])), length),
        _joined(_strings(gap), length + 1),
    ]


def _popular(rng: np.random.Generator, mall: Mall, number: int) -> NDArray[np.int64]:
    return (rng.random(number) ** 2 * mall.products).astype(np.int64)


def _queries(rng: np.random.Generator, mall: Mall, number: int) -> pa.Array:
    """Return a query for about half of the events, the same for some in a row, else ``-1``."""
    run = np.cumsum(rng.random(number) < 0.5)
    searched = rng.random(int(run.max(initial=0)) + 1) < 0.5
    topic = rng.integers(0, min(_TERMS, mall.products), len(searched))
    texts = _texts(rng, topic[run])
    return pc.if_else(pa.array(searched[run]), texts, "-1")


def _ids(number: NDArray[np.int64]) -> pa.Array:
    """Return eight digits at most, another for each number."""
    return _strings((number * 7_368_787 + 84_303_384) % 100_000_007)


def _texts(rng: np.random.Generator, topic: NDArray[np.int64], most: int = 3) -> pa.Array:
    """Return one to ``most`` terms for each topic, the same for the same topic."""
    terms = [_strings((topic * (k + 3) * 104_729 + 56_009_272) % 99_999_989) for k in range(most)]
    texts = terms[0]
    for k, term in enumerate(terms[1:], 1):
        longer = pa.array(topic % most >= k)
        texts = pc.if_else(longer, pc.binary_join_element_wise(texts, term, "\x18"), texts)
    return texts


def _products(rng: np.random.Generator, number: NDArray[np.int64]) -> list[pa.Array]:
    """Return the thirteen fields of some lines."""
    brand, shop = number % 997, number % 4_999
    fields = [_ids(number), _texts(rng, number % _TERMS, 8), _strings(brand + 10_000)]
    fields.append(_texts(rng, brand, 2))
    for level in range(1, 5):
        category = number % (7**level)
        fields += [_strings(category + 1_000_000 * level), _texts(rng, category, 2)]
    return [*fields, _strings(shop + 86_000_000)]


def _strings(numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _joined(members: pa.Array, lengths: NDArray[np.int64], between: str = "_") -> pa.Array:
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, members), between)


def _write(path: Path, header: str | None, parts: Iterator[list[pa.Array]]) -> None:
    with path.open("wb") as file:
        if header is not None:
            file.write(f"{header}\n".encode())
        for fields in parts:
            lines = pc.binary_join_element_wise(*fields, "\t")
            whole = _joined(lines, np.array([len(lines)]), "\n")
            file.write(whole[0].as_buffer())
            file.write(b"\n")
