"""Workflows take the code of others by its digest, which nobody can move."""

from __future__ import annotations

import re

from tests.documentation.document import ROOT


def test_actions_of_others_are_pinned() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / "docs" / "compare.md"]
    used = [each for file in files for each in re.findall(r"uses: (\S+)", file.read_text("utf-8"))]
    assert len(used) > 5
    for each in used:
        assert each.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each), each


def test_no_name_waits_to_be_filled_in() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        assert "OWNER" not in page.read_text("utf-8"), page
