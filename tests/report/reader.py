"""What stands in an HTML page, however it is written."""

from __future__ import annotations

from collections import defaultdict
from html.parser import HTMLParser

__all__ = ["Reader"]


class Reader(HTMLParser):
    """Collects tags, the texts of headings, and the cells of each table, also by its caption."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.tables: dict[str, list[list[str]]] = {}
        self.all_tables: list[list[list[str]]] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.all_tables.append([])
        elif tag == "tr":
            self.all_tables[-1].append([])
        elif tag in ("td", "th"):
            self.all_tables[-1][-1].append("")
            self._open = tag
        elif tag in ("h2", "h3", "caption", "title"):
            self.texts[tag].append("")
            self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open in ("td", "th"):
            self.all_tables[-1][-1][-1] += data
        elif self._open:
            self.texts[self._open][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self.tables[self.texts[tag][-1]] = self.all_tables[-1]
        if tag == self._open:
            self._open = ""
