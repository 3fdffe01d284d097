"""What the documentation names is there: models, options, files, papers and pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from benchmark.cli.app import COMMANDS as COMMANDS_OF_APP
from benchmark.cli.app import app
from benchmark.data.locate import card_names
from benchmark.registry import available, families
from benchmark.settings import PRESETS
from benchmark.version import __version__
from tests.documentation.document import (
    COMMANDS,
    FILES,
    MADE_BY_COMMANDS,
    NAMED,
    PROSE,
    ROOT,
    TEXT,
    first_column,
    section,
)


def test_models_data_sets_and_presets_are_those_that_exist() -> None:
    listed = section("What each of them does") + section("What there is")
    ours = {n for n, e in available().items() if e.source.partition(".")[0] in OWN_PACKAGES}
    ours = {"recbole:NAME" if n.startswith("recbole:") else n for n in ours}
    ours |= {family.form for family in families().values()}
    assert set(first_column(listed, "model")) == ours
    assert set(first_column(listed, "data set")) == set(card_names())
    assert first_column(section("Presets"), "preset") == list(PRESETS)
    for line in listed.splitlines():
        if found := re.match(r"\| `([\w:+-]+)` \| ([\w, ]+) \|", line):
            name = found[1].replace("recbole:NAME", "recbole:GRU4Rec")
            if name in available():
                assert tuple(found[2].split(", ")) == available()[name].tasks


OWN_PACKAGES = ("baselines", "gensar")


def options_of_commands() -> dict[str, set[str]]:
    """Return every option by the name of its command, ``data audit`` and the like."""
    found: dict[str, set[str]] = {}

    def visit(command: Any, name: str) -> None:
        found[name] = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for part, inner in getattr(command, "commands", {}).items():
            visit(inner, f"{name} {part}".strip())

    visit(typer.main.get_command(app), "")
    return found


def test_options_and_commands_exist() -> None:
    options = options_of_commands()
    every = set().union(*options.values()) | {"--help"}
    for named in NAMED:
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", named):
            assert option in every, named
        if found := re.match(r"python -m benchmark ([a-z]+)", named):
            assert found[1] in options, named
        if found := re.match(r"python -m perf ([a-z]+)", named):
            assert (ROOT / "perf" / f"{found[1]}.py").is_file(), named
    assert options["run"] - {"--help"} <= set(re.findall(r"--[a-z-]+", TEXT))
    for name in filter(None, options):
        assert any(f"python -m benchmark {name}" in command for command in COMMANDS), name


def test_every_command_has_an_example_that_is_run() -> None:
    names = {name.split()[0] for name in options_of_commands() if name}
    assert set(COMMANDS_OF_APP) | {"data", "model"} == names
    for name, (_, example) in COMMANDS_OF_APP.items():
        assert example.split()[0] == name
        known = {line.removeprefix("python -m benchmark ") for line in COMMANDS}
        pattern = re.escape(example).replace("RUN", r"\S+")
        assert any(re.match(pattern, line) for line in known), example


def test_paths_and_variables_exist() -> None:
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "benchmark").rglob("*.py"))
    for name in NAMED:
        if re.fullmatch(r"\$\w+", name):
            assert f'"{name[1:]}"' in sources, name
        is_path = re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", name) and (
            "/" in name or Path(name).suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".cff"}
        )
        if is_path and name not in MADE_BY_COMMANDS | FILES.keys():
            assert (ROOT / name).exists(), name
    assert (ROOT / "LICENSE").is_file()


def test_the_papers_named_can_be_cited() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    known = {
        (author["family-names"], str(paper["year"]))
        for paper in citation["references"]
        for author in paper["authors"]
    }
    others = r"(?:(?:, (?:de )?[A-Z]\w+)* and [A-Z]\w+| et al\.|'s)?"
    prose = " ".join(PROSE.split())
    named = set(re.findall(rf"((?:Van )?[A-Z]\w+){others} \(?((?:19|20)\d\d)\b", prose))
    assert len(named) >= 10
    assert named <= known


LINKED = sorted(
    str(page.relative_to(ROOT)) for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", (ROOT / page).read_text("utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link) or link.startswith("#") or link == "report.html":
            continue  # the report is made with the site
        assert (ROOT / page).parent.joinpath(link.partition("#")[0]).exists(), link
