"""HetRec 2011's Last.fm files and the folder of HyperSaR's preprocessing, in the published layout.

Names, tags and behaviour are made up; what is odd in the real files is odd here: artists that are
tagged and have no name, dates before Last.fm, tags of one user only, letters in latin-1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["CARD", "write_hypersar", "write_lastfm"]

CARD = {
    "name": "last",
    "description": "Generated in the layout of HetRec 2011's Last.fm",
    "source": "generated",
    "licence": "none",
    "citation": "none",
    "format": "hetrec-lastfm",
    "split": {"name": "official"},
}
"""The fields of a card, but for its files and rules."""

_WORDS = ("rock", "fran\xe7ais", "female vocalists", "hip-hop", "r&b", "80s", '"live"', "d\xfcster")


def write_lastfm(
    folder: Path, users: int = 20, artists: int = 40, tags: int = 12, seed: int = 0
) -> dict[str, object]:
    """Write the four files of events and names into ``folder``; return a card's fields for them.

    A user listens to up to half of the artists and gives a third of these, and some others, tags.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = ["id\tname\turl\tpictureURL"]
    named = int(artists * 0.9)
    for i in range(1, named + 1):
        name = f"Band {i} \u0416" if i % 7 == 0 else f'The "{i}"'
        names.append(
            f"{i}\t{name}\thttp://www.last.fm/music/B{i}\thttp://userserve-ak.last.fm/serve/252/{i}.jpg"
        )
    (folder / "artists.dat").write_text("\n".join(names) + "\n", encoding="utf-8")
    words = [f"{_WORDS[i % len(_WORDS)]}{i // len(_WORDS) or ''}" for i in range(tags)]
    lines = ["tagID\ttagValue", *(f"{i + 1}\t{word}" for i, word in enumerate(words))]
    (folder / "tags.dat").write_text("\n".join(lines) + "\n", encoding="latin-1")
    listens, given = ["userID\tartistID\tweight"], ["userID\tartistID\ttagID\tday\tmonth\tyear"]
    for user in rng.permutation(np.arange(2, users + 2)).tolist():
        heard = 1 + rng.permutation(named)[: rng.integers(1, artists // 2 + 1)]
        listens += [f"{user}\t{a}\t{rng.integers(1, 10_000)}" for a in heard.tolist()]
        others = 1 + rng.permutation(artists)[: rng.integers(0, artists // 4 + 1)]
        for artist in np.unique(np.concatenate([heard[::3], others])).tolist():
            for tag in np.unique(rng.zipf(1.5, 3) % tags + 1).tolist():
                year = 1956 if rng.random() < 0.01 else int(rng.integers(2005, 2012))
                given.append(f"{user}\t{artist}\t{tag}\t1\t{rng.integers(1, 13)}\t{year}")
    (folder / "user_artists.dat").write_text("\n".join(listens) + "\n", encoding="ascii")
    (folder / "user_taggedartists.dat").write_text("\n".join(given) + "\n", encoding="ascii")
    files = ("artists", "tags", "user_artists", "user_taggedartists")
    return {**CARD, "title": "{name}", "files": {f: {"name": f"{f}.dat"} for f in files}}


def write_hypersar(
    folder: Path, users: int = 12, items: int = 30, seed: int = 0
) -> dict[str, object]:
    """Write the six files of the preprocessed folder; return a card's fields for them."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[str]] = {name: [] for name in ("train", "valid", "test")}
    for user in range(users):
        own = rng.permutation(items)[: rng.integers(1, items)]
        held = int(0.2 * len(own))
        for place, item in enumerate(own.tolist()):
            part = "test" if place < held else "valid" if place < 2 * held else "train"
            queries = {"-"} if rng.random() < 0.5 else set()
            queries |= {_WORDS[i] for i in rng.zipf(1.6, 2) % len(_WORDS)}
            for query in sorted(queries)[: int(rng.integers(1, 4))]:
                text = query.replace('"', '""')
                parts[part].append(f'{user}\t{item}\t"{text}"')
    for name, rows in parts.items():
        text = "\n".join(["user_id\titem_id\tquery", *rows]) + "\n"
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    for name, count in (("user", users), ("item", items)):
        raw = rng.permutation(np.arange(2, 2 * count + 2))[:count].tolist()
        text = "".join(f"{r}\t{i}\n" for i, r in enumerate(raw))
        (folder / f"{name}_dict.txt").write_text(text, encoding="ascii")
    (folder / "data_size.txt").write_text(f"{users}\t{items}\n", encoding="ascii")
    files = (*parts, "user_dict", "item_dict", "data_size")
    return {
        **CARD,
        "files": {f: {"name": f"{f}.txt"} for f in files},
        "rules": {"protocol": "hypersar"},
    }
