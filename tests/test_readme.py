"""The README is run: its commands, its model, its data set and its Python, and its facts checked.

Every line of every ``bash`` block is executed in the order of the README, in one temporary folder
that holds the files which the README spells out. Lines of :data:`CHECKED_OTHERWISE` are the
exception: they would train for long, install something, or need data that is not included.

``python -m benchmark …`` is mostly run within the test's own process, through the function that
``python -m benchmark`` calls, because starting Python and importing pandas some twenty times would
take longer than all the rest. A few commands are run in a process of their own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from benchmark import __version__
from benchmark.cli.app import app, main
from benchmark.data.dataset import Dataset
from benchmark.data.locate import card_names
from benchmark.registry import available, families, find, offers
from benchmark.results.record import read_run
from benchmark.settings import PRESETS
from benchmark.testing import CHECKS, Subject
from tests.data.generated.shop_log import write_shop_log
from tests.support import looks_installed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

CHECKED_OTHERWISE = {
    "make run": "make",
    "make test": "make",
    'make run ARGS="--preset quick"': "make",
    "source .venv/bin/activate": "environment",
    "pip install --editable ./tfidf": "package",
    "python -m benchmark run --model sasrec,gensar --preset thorough --seeds 1,2,3": "run",
    "python -m benchmark run --model gensar --ablations --seeds 1,2,3": "run",
    "python -m benchmark tune --model sasrec,gensar,unisar --preset thorough --trials 20": "run",
    "python -m benchmark run --model sasrec --dataset amazon-beauty --seen keep": "run",
    "python -m tests.statistics.calibration": "module",
    (
        "python -m benchmark leaderboard --results results/published --dataset ml-100k "
        "--brief --into README.md"
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
}
"""What the README names but a fresh checkout does not hold."""

NOT_THERE_YET = ("doctor",)


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the path on the line before it, if there is one."""

    language: str
    text: str
    file: str | None


def blocks() -> Iterator[Block]:
    pattern = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for found in pattern.finditer(README):
        yield Block(found[2], found[3], found[1])


FILES = {block.file: block.text for block in blocks() if block.file}
COMMANDS = [
    line
    for block in blocks()
    if block.language in ("bash", "console") and block.file is None
    for line in block.text.splitlines()
    if line.strip() and not line.startswith("#")
]
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
NAMED = set(re.findall(r"`([^`\n]+)`", PROSE))


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
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


LOOKS_INSTALLED = """
import os, site
before = site.getsitepackages
site.getsitepackages = lambda: [*before(), os.path.dirname(__file__)]
"""
"""What a process runs when it starts, for which a folder of its path is to look installed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files and a shop's log, where its package looks installed."""
    folder = tmp_path_factory.mktemp("readme")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(FILES["tfidf/pyproject.toml"])["project"]
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    write_shop_log(folder)
    about = folder / "tfidf" / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (about / "METADATA").write_text(metadata, encoding="utf-8")
    (folder / "tfidf" / "sitecustomize.py").write_text(LOOKS_INSTALLED, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Done:
    status: int
    stdout: str
    stderr: str


class Shell:
    """Runs commands in ``place``, where the README's package can be found."""

    def __init__(
        self, place: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.place, self._patch, self._capture = place, patch, capture

    def run(self, command: str) -> Done:
        """Run ``python -m benchmark …`` in this process."""
        arguments = [part for word in arguments_of(command) for part in self._expanded(word)]
        assert arguments[:2] == ["-m", "benchmark"], f"{command}: put it into CHECKED_OTHERWISE"
        self._patch.setattr(sys, "argv", arguments[1:])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as finished:
            main()
        code = finished.value.code
        return Done(code if isinstance(code, int) else 0, *self._capture.readouterr())

    def _expanded(self, word: str) -> list[str]:
        """Expand a pattern as a shell does."""
        found = (
            sorted(p.relative_to(self.place) for p in self.place.glob(word)) if "*" in word else []
        )
        return [str(path) for path in found] or [word]

    def execute(self, script: str) -> str:
        """Execute Python and return what it prints."""
        self._capture.readouterr()
        exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})
        return self._capture.readouterr().out

    def spawn(self, command: str) -> Done:
        """Run ``python …`` in a process of its own."""
        paths = [str(self.place / "tfidf"), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, *arguments_of(command)],
            cwd=self.place,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def arguments_of(command: str) -> list[str]:
    first, *others = shlex.split(command)
    assert first == "python", f"{command}: say in CHECKED_OTHERWISE how this is to be checked"
    return others


@pytest.fixture
def shell(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.chdir(place)
    monkeypatch.setenv("BENCHMARK_CACHE", str(place / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    looks_installed(place / "tfidf", monkeypatch)
    offers.cache_clear()
    yield Shell(place, monkeypatch, capsys)
    offers.cache_clear()
    sys.modules.pop("tfidf", None)


def test_the_commands_run(shell: Shell) -> None:
    executed = [command for command in COMMANDS if command not in CHECKED_OTHERWISE]
    assert len(executed) >= 15
    outputs = {}
    for command in executed:
        done = shell.run(command)
        assert done.status == 0, f"{command}\n{done.stdout}{done.stderr}"
        outputs[command] = done.stdout
    board = json.loads(next(o for c, o in outputs.items() if "--format json" in c))
    models = {row["model"] for table in board["tables"] for row in table["rows"]}
    assert any(model.startswith("random") for model in models)
    check_python_blocks(shell)
    check_record(shell.place)


def check_python_blocks(shell: Shell) -> None:
    scripts = [b.text for b in blocks() if b.language == "python" and b.file is None]
    outputs = [shell.execute(script) for script in scripts]
    assert sum("bm25 1 search full 0." in output for output in outputs) == 1
    answers = next(output for output in outputs if "bm25" not in output).splitlines()
    assert len(answers) == 10
    assert all(float(answer.split()[-1]) < 0 for answer in answers)


def check_record(place: Path) -> None:
    """Compare a record that the commands left with the section that describes it."""
    described = section("Run records")
    folder = next((place / "results" / "runs" / "ml-100k" / "bm25").iterdir())
    for file in folder.iterdir():
        assert f"`{file.name}`" in described
    record = read_run(folder)
    assert set(first_column(described, "field of `run.json`")) == set(record.info)
    assert first_column(described, "column") == list(record.requests().columns)


def test_the_table_of_exceptions_is_up_to_date() -> None:
    assert set(CHECKED_OTHERWISE) <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c, how in CHECKED_OTHERWISE.items() if how == "make"])
def test_make_would_do_what_it_says(command: str, shell: Shell) -> None:
    make, *others = shlex.split(command)
    done = subprocess.run(
        [make, "--dry-run", *others], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps = re.findall(r"^(?:\w+=\S+ )?\.venv/bin/(.*)$", done.stdout, re.M)
    if "test" in others:
        assert [s.split()[0] for s in steps if "pip" not in s] == ["ruff", "ruff", "mypy", "python"]
        assert steps[-1].startswith("python -m pytest")
        assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith(command)
    else:
        assert steps[-1].startswith("python -m benchmark run ")
        check_accepted(steps[-1], shell)


@pytest.mark.parametrize("command", [c for c, how in CHECKED_OTHERWISE.items() if how == "run"])
def test_long_runs_would_start(command: str, shell: Shell) -> None:
    check_accepted(command, shell)


def check_accepted(command: str, shell: Shell) -> None:
    (shell.place / "no-folder").touch()
    done = shell.run(f"{command} --results no-folder")
    assert done.status == 2
    assert re.search(r"^error: --results no-folder: .* is no folder$", done.stderr, re.M)
    arguments = shlex.split(command)
    if "--dataset" in arguments:
        assert arguments[arguments.index("--dataset") + 1] in card_names()


def test_modules_of_their_own_exist() -> None:
    for command in (c for c, how in CHECKED_OTHERWISE.items() if how == "module"):
        assert importlib.util.find_spec(shlex.split(command)[2])


def test_the_action_takes_what_the_workflow_gives_and_its_commands_are_good(shell: Shell) -> None:
    (workflow,) = [yaml.safe_load(b.text) for b in blocks() if b.language == "yaml" and not b.file]
    step = workflow["jobs"]["benchmark"]["steps"][-1]
    folder = re.fullmatch(r"OWNER/[\w-]+/(.+)@main", step["uses"])
    assert folder
    action = yaml.safe_load((ROOT / folder[1] / "action.yml").read_text(encoding="utf-8"))
    inputs = action["inputs"]
    assert step["with"].keys() <= inputs.keys()
    assert {n for n, i in inputs.items() if i.get("required")} <= step["with"].keys()
    given = {n.upper(): i.get("default", "") for n, i in inputs.items()}
    given |= {"MODELS": "popularity", "BASELINE": "no-folder", "RESULTS": "no-folder"}
    run, check = (
        re.sub(r'"\$(\w+)"', lambda m: shlex.quote(given[m[1]]), line)
        for line in action["runs"]["steps"][-1]["run"].splitlines()
    )
    check_accepted(run.removesuffix(" --results no-folder"), shell)
    assert "no such folder" in shell.run(check).stderr


def test_the_environment_is_the_makefile_s() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    folder = re.search(r"^VENV := (\S+)$", makefile, re.M)
    assert folder
    for command in (c for c, how in CHECKED_OTHERWISE.items() if how == "environment"):
        assert command == f"source {folder[1]}/bin/activate"


def test_the_model_s_package_holds_together() -> None:
    described = tomllib.loads(FILES["tfidf/pyproject.toml"])
    module, _, attribute = described["project"]["entry-points"]["benchmark.models"][
        "tfidf"
    ].partition(":")
    assert module in described["tool"]["setuptools"]["py-modules"]
    assert re.search(rf"^{attribute} = ", FILES[f"tfidf/{module}.py"], re.M)


def test_the_model_has_twenty_lines() -> None:
    lines = FILES["tfidf/tfidf.py"].splitlines()
    assert len(code_lines(FILES["tfidf/tfidf.py"])) <= 20
    assert max(map(len, lines)) <= 100


@pytest.mark.usefixtures("shell")
def test_the_model_conforms(tiny: Dataset) -> None:
    subject = Subject(find("tfidf"), tiny)
    for check in CHECKS:
        check(subject)


def test_the_model_runs_on_other_data(shell: Shell, tiny_folder: Path) -> None:
    command = "python -m benchmark run --model tfidf --json --results tiny-results --dataset"
    done = shell.spawn(f"{command} {shlex.quote(str(tiny_folder))}")
    assert done.status == 0, done.stderr
    metrics = json.loads(done.stdout)[0]["metrics"]
    assert set(metrics) == {"rec", "search"}
    assert metrics["search"]["full"]["ndcg@10"] > 0.1


def test_the_data_set_is_small_and_needs_no_card(shell: Shell) -> None:
    atomic = {name: text for name, text in FILES.items() if name.startswith("books/books.")}
    assert sum(len(code_lines(text)) for text in atomic.values()) <= 20
    assert len(code_lines(FILES["books/card.yaml"])) <= 20
    bare = shell.place / "bare" / "books"
    bare.mkdir(parents=True)
    for name, text in atomic.items():
        (bare / Path(name).name).write_text(text, encoding="utf-8")
    command = "python -m benchmark run --model popularity --json --results bare/results --dataset"
    for folder, told in (("bare/books", "no card"), ("./books", "")):
        done = shell.run(f"{command} {folder}")
        assert done.status == 0, done.stderr
        assert told in done.stderr
        assert set(json.loads(done.stdout)[0]["metrics"]) == {"rec", "search"}


def test_models_data_sets_and_presets_are_those_that_exist() -> None:
    listed = section("Models and data sets")
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
        found[name] = {option for parameter in command.params for option in parameter.opts}
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
    assert options["run"] - {"--help"} <= set(re.findall(r"--[a-z-]+", README))
    for name in filter(None, options):
        assert any(f"python -m benchmark {name}" in command for command in COMMANDS), name


def test_what_is_said_to_be_missing_is_missing() -> None:
    missing = section("What is not there yet")
    commands = options_of_commands()
    for name in NOT_THERE_YET:
        assert f"`{name}`" in missing
        assert name not in commands, f"`{name}` is there now: describe it in README.md"


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


def test_the_leaderboard_has_its_place() -> None:
    start, end = "<!-- leaderboard:start -->", "<!-- leaderboard:end -->"
    assert README.count(start) == README.count(end) == 1
    assert README.index(start) < README.index(end)


@pytest.mark.parametrize(
    "command", [c for c, how in CHECKED_OTHERWISE.items() if how == "committed"]
)
def test_the_leaderboard_is_that_of_the_committed_runs(
    command: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = shell.run(f"{command} --check")
    assert done.status == 0, done.stderr


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
