"""What the documentation spells out: its commands, files and names, read from the pages' text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CHECKED_OTHERWISE",
    "COMMANDS",
    "FILES",
    "MADE_BY_COMMANDS",
    "NAMED",
    "PROSE",
    "README",
    "ROOT",
    "TEXT",
    "blocks",
    "code_lines",
    "first_column",
    "section",
]

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in (
            "own-model",
            "own-data",
            "compare",
            "ask",
            "tuning",
            "command-line",
            "run-records",
            "measures",
            "models/README",
            "data-sets",
        )
    ),
)
"""Pages whose commands are run one after another in one folder, so that later ones find what was
made before. Those of other pages are run by tests of their own."""
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)

CHECKED_OTHERWISE = {
    "make run": "make",
    "make test": "make",
    'make run ARGS="--preset quick"': "make",
    "source .venv/bin/activate": "environment",
    "pip install --editable ./tfidf": "package",
    "python -m benchmark run --model sasrec,gensar --preset thorough --seeds 1,2,3": "run",
    "python -m benchmark run --model gensar --ablations --seeds 1,2,3": "run",
    (
        "python -m benchmark tune --model sasrec,gensar,unisar --preset thorough --trials 20"
        " --workers 4"
    ): "run",
    "python -m benchmark run --model sasrec --dataset amazon-beauty --seen keep": "run",
    "python -m tests.statistics.calibration": "module",
    (
        "python -m benchmark leaderboard --results results/published --dataset ml-100k "
        "--summary --into README.md"
    ): "committed",
}
"""Commands that are not executed, each with the check that stands in for it:

``make``: ``make --dry-run`` succeeds, and every ``python -m benchmark run`` in it passes ``run``;
``environment``: that is the environment which the Makefile makes;
``package``: the folder's ``pyproject.toml`` names a module and an object that are there;
``run``: the command line, given a results folder that cannot be one, comes as far as refusing it,
which it does after options, models, tasks, preset and settings were found good;
``module``: the module is there; a test of its own runs it at a smaller size;
``committed``: run in the checkout itself, with ``--check``, it finds the file up to date.
"""

MADE_BY_COMMANDS = {
    *("results/", "results/tuning/", "run.json", "config.json", "checksums.json"),
    *("qrels.search.txt", "run.search.full.txt", "identifiers.svg"),
    *("trials/NUMBER.json", "checkpoints/NUMBER", "results/tuning/logs/"),
    "results/tuning/DATASET/MODEL/STUDY/study.json",
}
"""What the pages name but a fresh checkout does not hold."""


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the path on the line before it, if there is one."""

    language: str
    text: str
    file: str | None


def blocks() -> Iterator[Block]:
    pattern = r"(?:^`([^`\n]+)`:\n\n)?^ *```(\w+)\n(.*?)^ *```$"
    for found in re.finditer(pattern, TEXT, re.MULTILINE | re.DOTALL):
        yield Block(found[2], found[3], found[1])


FILES = {block.file: block.text for block in blocks() if block.file}
COMMANDS = list(
    dict.fromkeys(
        line.strip()
        for block in blocks()
        if block.language in ("bash", "console") and block.file is None
        for line in block.text.splitlines()
        if line.strip() and not line.startswith("#")
    )
)
"""Every line of every block for a shell, once."""
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
NAMED = set(re.findall(r"`([^`\n]+)`", PROSE))


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    assert found, title
    return found[1]


def first_column(text: str, heading: str) -> list[str]:
    """Return the names in backticks of the first column of the table under ``heading``."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    names = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        names += re.findall(r"`([^`]+)`", line.split("|")[1])
    return names


def code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
