"""A small data set with both tasks, made from atomic files like any other; installed packages."""

from __future__ import annotations

import site
from pathlib import Path

import numpy as np
import pytest

USERS, ITEMS = 60, 120
GENRES = ("drama", "comedy", "action", "horror", "romance", "western")


def looks_installed(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let a folder count as one that installers put packages into."""
    before = site.getsitepackages()
    patch.setattr(site, "getsitepackages", lambda: [*before, str(folder)])
    patch.syspath_prepend(str(folder))


def write_tiny(folder: Path, seed: int = 0) -> Path:
    """Write ``tiny.inter``, ``tiny.item`` and ``tiny.query`` into ``folder``.

    Users walk through the items of one genre in the order of their numbers, so that there is
    something to be learned; every third event is a search by genre or by a word of the title.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    genre = np.arange(ITEMS) % len(GENRES)
    words = [f"title{i} word{i % 17}" for i in range(ITEMS)]
    items = ["item_id:token\ttitle:token_seq\tgenre:token_seq"]
    items += [f"i{i}\t{words[i]}\t{GENRES[genre[i]]}" for i in range(ITEMS)]
    (folder / "tiny.item").write_text("\n".join(items) + "\n", encoding="utf-8")
    queries: dict[str, str] = {}
    rows = ["user_id:token\titem_id:token\ttimestamp:float\tquery_id:token"]
    for user in range(USERS):
        own = np.flatnonzero(genre == user % len(GENRES))
        start = int(rng.integers(0, len(own)))
        for step in range(14):
            item = int(own[(start + step) % len(own)])
            text = ""
            if step % 3 == 2:
                text = GENRES[genre[item]] if rng.random() < 0.5 else f"word{item % 17}"
                queries.setdefault(text, f"q{len(queries)}")
            rows.append(f"u{user}\ti{item}\t{1000 + 10 * step}\t{queries.get(text, '')}")
    (folder / "tiny.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = ["query_id:token\tquery:token_seq"]
    lines += [f"{number}\t{text}" for text, number in queries.items()]
    (folder / "tiny.query").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
