"""Texts that would do something if they were taken for anything but text, and data made of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.plain_text import plain_json

__all__ = ["CELLS", "HOSTILE", "NAMED", "control_characters", "spaces", "write_hostile"]

HOSTILE = {
    "colour": "\x1b[31mred",
    "8-bit colour": "\x9b31mred",
    "link": "\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "title of the window": "\x1b]0;mine\x07",
    "clear": "\x1b[2J\x1b[H",
    "bell": "ding\x07",
    "overwritten": "seen\rhidden",
    "backspace": "abc\x08\x08\x08xyz",
    "form feed": "one\x0ctwo\x0bthree",
    "right to left": "abc\u202egpj.exe",
    "isolate": "\u2066abc\u2069",
    "zero width": "pay\u200bpal\u200d\ufeff",
    "NUL": "a\x00b",
    "DEL": "a\x7fb",
    "line separator": "one\u2028two\u2029three\x85four",
    "script": "<script>alert(1)</script>",
    "picture": '"><img src=x onerror=alert(1)>',
    "end of a script": "</script><script>alert(2)</script>",
    "comment": "<!-- x",
    "entity": "&lt;b&gt; &#60; AT&T &copy;",
    "attribute": "x\" onmouseover='alert(1)' y=\"",
    "pipes": "a|b || c \\| d \\\\|",
    "lines": "one\ntwo\n\n# three\n- four\n| five |",
    "tabs": "one\ttwo",
    "end marker": "<!-- leaderboard:end -->",
    "start marker": "<!-- leaderboard:start -->",
    "Markdown link": "[x](javascript:alert(1)) ![y](http://example.org/z.png) [^1] [ref]",
    "address": "http://example.org www.example.org <https://example.org>",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~ a_b_c",
    "code": "`a` ``b`` ```c",
    "heading": "# one #",
    "rule": "---",
    "backslash": "\\ \\\\ \\* \\n \\",
    "shell": "$(touch pwned) `touch pwned` $HOME ; rm x",
    "formula": "$\\frac{1}{0}$ $$x$$",
    "TeX": "\\input{/etc/passwd} \\write18{x} % & # _ ^ ~ { } \\\\ [1em] * -- ''",
    "spreadsheet": "=1+1",
    "at": "@SUM(1) +1 -1",
    "Rich markup": "[red]x[/red] [link=https://example.org]y[/link] [/]",
    "emoji code": ":smile: :warning:",
    "format": "{0} {name} %s %(x)s ${x} {{y}}",
    "long word": "w" * 400,
    "wide": "電影資料庫のとても長い題名",
    "combining": "Z\u0300\u0301\u0302\u0303a\u0308lgo\u0327",
    "emoji": "👩\u200d🚀 👍🏽 🇦🇹",
    "right-to-left script": "שלום עולם مرحبا",
    "blanks": "a\u00a0b\u3000c  d",
    "path": "../../etc/passwd",
    "null": "null",
    "number": "1e999",
    "JSON": '{"a": "\\u001b"}',
}
"""By what they would do."""

_SURROGATE = "half \udc9b of a pair"
NAMED = {**HOSTILE, "half of a pair": _SURROGATE}
"""All, also what no file in UTF-8 can hold but JSON and names of files can."""

CELLS = {name: text for name, text in HOSTILE.items() if not set(text) & set("\t\n\r\0")}
"""What a cell of an atomic file can hold."""


def control_characters(text: str) -> list[str]:
    """Return what of a text, beside line ends, a terminal would act on."""
    return [c for c in text if c != "\n" and not c.isprintable()]


def spaces(text: str) -> str:
    """Return a text with each stretch of blanks as one, as folded lines and HTML show it."""
    return re.sub(r"\s+", " ", text).strip()


def write_hostile(folder: Path, **card: Any) -> Path:
    """Write a data set whose users, items and queries have hostile ids and words, and its card.

    Args:
        folder: to write into.
        card: fields of the card to be set.
    """
    folder.mkdir(parents=True)
    rng, texts = np.random.default_rng(0), list(CELLS.values())
    ids = texts + [f"i{n}" for n in range(len(texts), 100)]
    titles = texts[7:] + texts[:7] + [f"title {n}" for n in range(len(texts), 100)]
    items = ["item_id:token\ttitle:token_seq"]
    items += ["\t".join(row) for row in zip(ids, titles, strict=True)]
    queries = ["query_id:token\tquery:token_seq"]
    queries += ["\t".join(row) for row in zip(texts, texts[3:] + texts[:3], strict=True)]
    events = ["user_id:token\titem_id:token\ttimestamp:float\tquery_id:token"]
    for number, user in enumerate(texts):
        for step, item in enumerate(rng.choice(len(ids), 9, replace=False).tolist()):
            query = texts[(number + step) % len(texts)] if step % 2 else ""
            events.append(f"{user}\t{ids[item]}\t{1000 + step}\t{query}")
    for kind, lines in (("inter", events), ("item", items), ("query", queries)):
        (folder / f"hostile.{kind}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    fields = {
        "name": "hostile",
        **dict.fromkeys(("description", "source", "licence", "citation"), "x"),
        "files": {kind: {"name": f"hostile.{kind}"} for kind in ("inter", "item", "query")},
        "title": "{title}",
        "text": [],
        **card,
    }
    (folder / "card.yaml").write_text(plain_json(fields), encoding="utf-8")
    return folder
