"""The documentation's site is built without a dead link, and shows the interface."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.registry import known
from tests.documentation.document import ROOT

REPORT = "docs/report.html"
"""What `make site` makes of the committed records; other tests look at that."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs")
    (place / REPORT).write_text("<p>report</p>")
    rules = (ROOT / "mkdocs.yml").read_text("utf-8").replace("paths: [.]", f"paths: [{ROOT}]")
    (place / "mkdocs.yml").write_text(rules, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=place,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "build" / "site"


def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        built = site / page.relative_to(ROOT / "docs").with_suffix(".html")
        if page.name == "README.md":
            built = built.with_name("index.html")
        assert built.is_file(), page
    assert (site / "report.html").is_file()
    assert (site / "pictures" / "ml-100k.svg").is_file()


def test_the_interface_is_shown(site: Path) -> None:
    page = (site / "interface.html").read_text("utf-8")
    for name in re.findall(r"^::: (\S+)$", (ROOT / "docs" / "interface.md").read_text(), re.M):
        assert f'id="{name}"' in page, name
    assert "Raises:" in page or "Raises" in page


def test_every_model_has_the_page_that_the_report_links_to(site: Path) -> None:
    for name, entry in known().items():
        if entry.group != "diagnostic" and entry.source.split(".")[0] in ("baselines", "gensar"):
            assert (site / "models" / f"{name.partition(':')[0]}.html").is_file(), name


def test_what_the_site_needs_is_made_as_the_makefile_says() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"--format html --pages models --out {REPORT}" in makefile
    assert "mkdocs build --strict" in makefile
