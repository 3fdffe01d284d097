"""MovieLens files of every version, in the published layout; titles, tags and behaviour made up."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

__all__ = ["write_movielens"]

_GENRES = ("Drama", "Comedy", "Film-Noir", "Sci-Fi", "Children's")
_FLAGS = 19
_TAGS = (
    "time travel",
    "dvd",
    "To-See",
    "1980",
    "na\xefve",
    'said "no"',
    "noir, dark",
    "owned",
    "70mm",
)


def _text(rows: list[tuple], by: str, header: str) -> str:
    if by != ",":
        return "".join(by.join(map(str, row)) + "\n" for row in rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header.split(","), *rows])
    return out.getvalue()


def write_movielens(
    folder: Path, version: str = "latest", users: int = 12, movies: int = 30, seed: int = 0
) -> dict[str, object]:
    """Write ratings, movies and, where the version has them, tags; return a card's fields.

    Tags come in bursts of one tag over several films, seconds or hours apart.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    by = {"100k": "\t", "1m": "::", "10m": "::"}.get(version, ",")
    films: list[tuple] = []
    for i in range(1, movies + 1):
        title = f"Film {i}, The (19{i % 90 + 10})" if i % 9 else f"Caf\xe9 {i}"
        own = rng.permutation(len(_GENRES))[: rng.integers(0, 3)]
        if version == "100k":
            flags = np.zeros(_FLAGS, dtype=int)
            flags[own + 3] = 1
            films.append((i, title, "01-Jan-1995", "", f"http://us.imdb.com/M?{i}", *flags))
        else:
            films.append((i, title, "|".join(_GENRES[g] for g in own) or "(no genres listed)"))
    ratings, tags = [], []
    for user in rng.permutation(np.arange(1, users + 1)).tolist():
        start = int(rng.integers(8 * 10**8, 10**9))
        seen = 1 + rng.permutation(movies)[: rng.integers(2, movies)]
        for film in seen.tolist():
            stars = (
                int(rng.integers(1, 6)) if version in ("100k", "1m") else rng.integers(1, 11) / 2
            )
            ratings.append((user, film, stars, start + int(rng.integers(0, 5000))))
        time = start
        for _ in range(int(rng.integers(0, 7))):
            tag = _TAGS[rng.integers(len(_TAGS))]
            for film in (1 + rng.permutation(movies)[: rng.integers(1, 5)]).tolist():
                time += int(rng.choice([0, 5, 60, 599, 600, 601, 90_000]))
                tags.append((user, film, tag, time))
    names = {"100k": ("u.data", "u.item")}.get(version)
    kind = "csv" if by == "," else "dat"
    names = names or (f"ratings.{kind}", f"movies.{kind}")
    latin = "latin-1" if version in ("100k", "1m") else "utf-8"
    texts = {
        names[0]: _text(ratings, by, "userId,movieId,rating,timestamp"),
        names[1]: _text(films, "|" if version == "100k" else by, "movieId,title,genres"),
    }
    files = {"ratings": {"name": names[0]}, "movies": {"name": names[1]}}
    if version not in ("100k", "1m"):
        texts[f"tags.{kind}"] = _text(tags, by, "userId,movieId,tag,timestamp")
        files["tags"] = {"name": f"tags.{kind}"}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding=latin)
    return {
        "name": "films",
        "description": "Generated in the layout of MovieLens",
        "source": "generated",
        "licence": "none",
        "citation": "none",
        "format": "movielens",
        "rules": {"version": version},
        "files": files,
        "title": "{title} ({year})",
        "text": ["genres"],
    }
