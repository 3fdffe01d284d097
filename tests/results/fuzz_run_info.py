"""Every field of ``run.json`` and ``checksums.json`` made odd, and every command that reads runs.

A command that reads all runs does its work without the odd one and names it; one that was given it
ends with exit status 2 and names it. Where an odd value is still a possible one, a command does its
work. ``python -m tests.results.fuzz_run_info`` tries everything and prints how many ended how.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmark.cli import main
from tests.support import write_tiny

Reader = Callable[["Place"], list[object]]
"""Returns the arguments of a command."""

MISSING = object()
ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "string": "odd",
    "path": "../../../../odd",
    "list": [],
    "dict": {},
    "list of one": [None],
    "dict of one": {"odd": None},
    "zero": 0,
    "negative": -1,
    "fraction": 0.5,
    "huge": 1e308,
    "larger": 10**400,
    "NaN": math.nan,
    "infinite": -math.inf,
    "missing": MISSING,
}
SCANNING: dict[str, Reader] = {
    **{
        f"leaderboard {form}": lambda at, form=form: [
            *("leaderboard", "--results", at.results, "--format", form)
        ]
        for form in ("md", "html", "json", "latex")
    },
    "check": lambda at: ["check", "--baseline", at.baseline, "--results", at.results],
    "publish into": lambda at: ["publish", at.other, "--to", at.results],
}
NAMED: dict[str, Reader] = {
    "check of it": lambda at: ["check", "--baseline", at.same, "--results", at.results],
    "check against it": lambda at: ["check", "--baseline", at.results, "--results", at.results],
    "compare a": lambda at: ["compare", at.odd, at.good, "--examples", 1],
    "compare b": lambda at: ["compare", at.good, at.odd, "--examples", 1],
    "predict": lambda at: ["predict", at.odd, "--user", 3],
    "export": lambda at: ["export", at.odd, "--out", at.scratch / "export"],
    "identifiers": lambda at: ["identifiers", at.odd],
    "publish": lambda at: ["publish", at.odd, "--to", at.scratch / "published"],
    "import": lambda at: [*at.importing, "--results", at.results],
}
RUN: Reader = lambda at: [*at.running, "--results", at.results]  # noqa: E731


@dataclass(frozen=True)
class Place:
    """Results with a good run and one to be made odd.

    Attributes:
        results: the folder of both.
        good: the folder of the good run.
        odd: that of the other.
        baseline: a results folder with the good run.
        same: a results folder with what the other was.
        other: the folder of a further run that lies elsewhere.
        scratch: a folder to write to.
        running: the command that finds the other run stored.
        importing: the command that adds to the other run, where that was imported.
    """

    results: Path
    good: Path
    odd: Path
    baseline: Path
    same: Path
    other: Path
    scratch: Path
    running: list[object]
    importing: list[object]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, ``None`` for a traceback, and what it told."""

    status: int | None
    out: str
    err: str


def called(*arguments: object) -> Ended:
    """Run ``python -m benchmark`` in this process."""
    before, out, err = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["benchmark", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as done:
        return Ended(int(done.code or 0), out.getvalue(), err.getvalue())
    except BaseException:
        return Ended(None, out.getvalue(), traceback.format_exc())
    finally:
        sys.argv = before


def places(root: Path) -> dict[str, Place]:
    """Make results with a run of our own to be made odd, and with an imported one."""
    data = write_tiny(root / "tiny")
    ours: list[object] = ["run", "--model", "popularity", "--dataset", data, "--preset", "quick"]
    _done(*ours, "--seeds", "1,2", "--results", root / "trained")
    good, odd = sorted(root.glob("trained/runs/*/*/*s[12]-*"))
    answers = root / "answers.txt"
    answers.write_text("rec-0 Q0 i3 1 2.0 theirs\nrec-1 Q0 i5 1 1.0 theirs\n", encoding="utf-8")
    theirs: list[object] = ["import", answers, "--name", "theirs", "--dataset", data]
    theirs += ["--task", "rec", "--protocol", "full"]
    _done("publish", good, "--to", root / "baseline")
    shutil.copytree(root / "baseline", root / "imported")
    _done(*theirs, "--results", root / "imported")
    (imported,) = root.glob("imported/runs/*/theirs/*")
    _done("publish", odd, "--to", root / "same")
    _done("publish", imported, "--to", root / "same imported")
    _done(*ours, "--seed", 3, "--results", root / "other")
    (other,) = root.glob("other/runs/*/*/*-s3-*")
    common = {
        "baseline": root / "baseline",
        "other": other,
        "scratch": root / "scratch",
        "running": [*ours, "--seed", 2],
        "importing": theirs,
    }
    (published,) = root.glob("imported/runs/*/popularity/*")
    beside = root / "same imported"
    return {
        "trained": Place(root / "trained", good, odd, same=root / "same", **common),
        "imported": Place(root / "imported", published, imported, same=beside, **common),
    }


def _done(*arguments: object) -> None:
    ended = called(*arguments)
    assert ended.status == 0, ended.err


def mutations(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the file, the field and the kind of value of each mutation of a run."""
    for file in ("run.json", "checksums.json"):
        for field, value in _fields(json.loads((folder / file).read_text(encoding="utf-8"))):
            for kind, odd in ODD.items():
                if odd is MISSING or json.dumps(odd) != json.dumps(value):
                    yield file, "\t".join(map(str, field)), kind


def _fields(value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the way to everything inside of a document, and to the whole, with what it is.

    Of tables by task and protocol, and of lists, the first entry stands for the others.
    """
    yield (), value
    inner: Any = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        inner = enumerate(value[:1])
    elif isinstance(value, dict) and value.keys() <= {"rec", "search", "full", "sampled"}:
        inner = [*value.items()][:1]
    for key, each in inner:
        yield from (((key, *way), inside) for way, inside in _fields(each))


@contextlib.contextmanager
def made_odd(folder: Path, file: str, field: str, kind: str) -> Iterator[None]:
    """Mutate a run, sign it anew, and put it back in the end."""
    kept = folder.with_name(f".kept.{folder.name}")
    shutil.copytree(folder, kept)
    try:
        document = _changed(
            json.loads((folder / file).read_text(encoding="utf-8")),
            field.split("\t") if field else [],
            ODD[kind],
        )
        (folder / file).write_text(json.dumps(document), encoding="utf-8")
        if file == "run.json":
            sums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
            sums["run.json"] = sha256((folder / file).read_bytes()).hexdigest()
            (folder / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")
        yield
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


def _changed(value: Any, field: list[str], odd: Any) -> Any:
    if not field:
        return None if odd is MISSING else odd
    key: Any = int(field[0]) if isinstance(value, list) else field[0]
    if len(field) == 1 and odd is MISSING:
        del value[key]
    else:
        value[key] = _changed(value[key], field[1:], odd)
    return value


def verdict(at: Place, reader: str, ended: Ended, readable: bool) -> str:
    """Return how a command ended, in words that begin with ``FAULT`` where it should not.

    Args:
        at: where the odd run lies.
        reader: name of the command.
        ended: how it did.
        readable: whether the odd value is a possible one.
    """
    lines = ended.err.splitlines()
    naming = [line for line in lines if str(at.odd) in line]
    if ended.status is None:
        return "FAULT: traceback"
    if ended.status not in (0, 2):
        return f"FAULT: exit {ended.status}"
    if ended.status == 2 and not (len(lines) == 1 and lines[0].startswith("error: ")):
        return "FAULT: not one line"
    if readable:
        return f"possible value, exit {ended.status}"
    if not naming:
        return "FAULT: not named"
    if reader in SCANNING or reader == "run":
        return "exit 0 without it, named" if ended.status == 0 else "FAULT: taken down"
    return "exit 2, named" if ended.status == 2 else "FAULT: exit 0"


def is_readable(at: Place) -> bool:
    """Return whether the run that was made odd can still be read."""
    from benchmark.errors import BenchmarkError
    from benchmark.results.record import read_run

    try:
        read_run(at.odd)
    except BenchmarkError:
        return False
    return True


def tried(at: Place, mutation: tuple[str, str, str], readers: dict[str, Reader]) -> Counter[str]:
    """Return how many of the readers ended how after one mutation; a fault names it."""
    results: Counter[str] = Counter()
    with made_odd(at.odd, *mutation):
        readable = is_readable(at)
        for name, reader in readers.items():
            shutil.rmtree(at.scratch, ignore_errors=True)
            at.scratch.mkdir()
            ended = called(*reader(at))
            found = verdict(at, name, ended, readable)
            if found.startswith("FAULT"):
                found += f": {name}: {mutation}: {ended.err[-400:]!r}"
            results[found] += 1
    return results


def readers_of(kind: str) -> dict[str, Reader]:
    """Return the commands that read a run of our own, or an imported one.

    What would write to the run's folder comes last.
    """
    if kind == "imported":
        without = ("predict", "export")
        return {**SCANNING, **{n: r for n, r in NAMED.items() if n not in without}}
    return {**SCANNING, **{n: r for n, r in NAMED.items() if n != "import"}, "run": RUN}


def everything(root: Path, sample: int | None = None) -> Counter[str]:
    """Try all mutations, or a sample of them, with all readers."""
    results: Counter[str] = Counter()
    for kind, at in places(root).items():
        chosen = list(mutations(at.odd))
        if sample is not None:
            chosen = random.Random(0).sample(chosen, sample)
        for number, mutation in enumerate(chosen, 1):
            found = tried(at, mutation, readers_of(kind))
            results += found
            for line in (f for f in found if f.startswith("FAULT")):
                print(line, flush=True)
            if number % 100 == 0:
                print(f"{kind}: {number} of {len(chosen)}", file=sys.stderr)
    return results


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCHMARK_CACHE"] = f"{folder}/cache"
        size = int(sys.argv[1]) if len(sys.argv) > 1 else None
        for outcome, count in everything(Path(folder), size).most_common():
            print(f"{count:7}  {outcome}")
