"""Commands in processes of their own, each in a home folder, that can be killed at will.

They are forked from a process that has imported everything and computed nothing. What a command
leaves in its home is compared without the times that it took.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from tests.support import write_tiny

__all__ = [
    "COMMANDS",
    "Command",
    "Kill",
    "context",
    "finished",
    "home_of",
    "importing",
    "litter_in",
    "running",
    "start",
    "state",
]

_TIMES = {
    *("seconds", "processor_seconds", "seconds_per_request", "finished", "phases", "curve"),
    *("peak_memory_mib", "environment", "memory_mib", "elapsed", "checksum", "sha256"),
}
"""Fields of JSON files that are not the same twice, and checksums over these."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"),
    *("os.truncate", "os.utime", "os.chmod", "os.chown"),
}


@dataclass(frozen=True)
class Command:
    """A command, and those that make what it finds.

    Attributes:
        name: of it.
        arguments: of ``python -m benchmark``.
        before: commands that were run before it.
        more: makes whatever else it finds in its home.
    """

    name: str
    arguments: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    more: Callable[[Path], None] = field(default=lambda home: None)


@dataclass(frozen=True)
class Kill:
    """Dies before the file operation of a number, from 1; 0 counts only.

    With ``half`` a file that would be opened for writing then is there, with a part of something.
    """

    number: int
    half: bool = False


def context() -> ForkServerContext:
    """Return the context whose children have imported everything."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.preloaded"])
    return made


def start(
    home: Path, arguments: tuple[str, ...], kill: Kill | None = None, log: str = "log"
) -> ForkServerProcess:
    """Start ``python -m benchmark`` in ``home``; what it says goes into a file beside that."""
    told = home, _filled_in(home, arguments), kill, home.with_name(log)
    process = context().Process(target=_run, args=told)
    process.start()
    return process


def _run(home: Path, arguments: tuple[str, ...], kill: Kill | None, log: Path) -> None:
    from benchmark.cli import main

    os.chdir(home)
    os.environ["BENCHMARK_CACHE"] = str(home / "cache")
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.argv = ["benchmark", *arguments]
    done = _killing(home, kill) if kill is not None else []
    try:
        main()
    finally:
        log.with_name("operations").write_text("".join(done))


def _killing(home: Path, kill: Kill) -> list[str]:
    """Die as told; return the operations so far, which grow: ``o`` opens a file to be written."""
    root, done = os.path.realpath(home) + os.sep, []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and (
            any(sign in (arguments[1] or "") for sign in "wax+") or arguments[2] & _WRITES
        )
        if not (opened or event in _CHANGES) or isinstance(arguments[0], int):
            return
        path = _path(arguments, event)
        if not path.startswith(root):
            return
        done.append("o" if opened else ".")
        if len(done) == kill.number:
            if opened and kill.half:
                Path(path).write_bytes(b"PK{\n")
            if opened or not kill.half:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    return done


def _path(arguments: tuple[Any, ...], event: str) -> str:
    place = os.fsdecode(arguments[0])
    number = {"os.rename": 2, "os.mkdir": 2, "os.chmod": 2, "os.utime": 3, "os.chown": 3}
    folder = arguments[number.get(event, 1)] if event in _CHANGES else -1
    if isinstance(folder, int) and folder >= 0:
        place = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), place)  # noqa: PTH118, PTH115
    return os.path.abspath(place)  # noqa: PTH100


def finished(process: ForkServerProcess, within: float = 120) -> int | None:
    """Return the exit status of a process, ``None`` where it had to be ended."""
    process.join(within)
    status = process.exitcode
    if status is None:
        process.kill()
        process.join()
    return status


def home_of(command: Command, home: Path) -> Path:
    """Make a home as a command finds it, with its data in ``home/data/tiny``."""
    write_tiny(home / "data" / "tiny")
    _run_files(home)
    for arguments in command.before:
        assert finished(start(home, arguments)) == 0, home.with_name("log").read_text()
    command.more(home)
    return home


def _filled_in(home: Path, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Put a folder in the place of each pattern of folders."""
    return tuple(
        next((str(run.relative_to(home)) for run in home.glob(each)), each) if "*" in each else each
        for each in arguments
    )


def state(home: Path, *patterns: str) -> dict[str, str]:
    """Return a digest of each file in a home, but for times and for what follows from them.

    Source files are remembered in the cache once they are some seconds old, so whether a command
    remembers those of its home, which was just made, is a matter of the machine's load.
    """
    found = {}
    remembered = home / "cache" / "files"
    for file in sorted(file for each in patterns or ("**/*",) for file in home.glob(each)):
        if file.is_file() and remembered not in file.parents:
            content = file.read_bytes()
            if file.suffix == ".json":
                with suppress(ValueError):
                    value = _timeless(json.loads(content))
                    content = repr([*value] if file.name == "checksums.json" else value).encode()
            found[str(file.relative_to(home))] = hashlib.sha256(content).hexdigest()
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in _TIMES}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def litter_in(home: Path) -> Iterator[str]:
    """Take away what ``clean`` finds in a home, and yield the reason for each."""
    from benchmark.cleaning import find, take_away

    for results in ("results", "results/kept"):
        for litter in find(home / results, home / "cache", None, 1e12):
            assert take_away(litter), litter
            yield litter.why


_DATA = ("--dataset", "data/tiny")


def running(*more: str) -> tuple[str, ...]:
    """Return the arguments of a run of popularity."""
    return ("run", "--model", "popularity", *_DATA, *more)


_POPULARITY = running()
_SASREC = (
    *("run", "--model", "sasrec", "--preset", "quick", *_DATA),
    *(f"--set={each}" for each in ("width=8", "inner=8", "epochs=2", "validate_every=1")),
)


def importing(task: str, protocol: str) -> tuple[str, ...]:
    """Return the arguments of an import."""
    asked = ("--task", task, "--protocol", protocol)
    return ("import", f"{task}.run", "--name", "mine", *_DATA, *asked)


_RUNS = "results/runs/tiny"
_ANY = f"{_RUNS}/popularity/[!.]*"


def _run_files(home: Path) -> None:
    for task in ("rec", "search"):
        (home / f"{task}.run").write_text(f"{task}-0 Q0 i1 1 2.5 x\n")


def _markers(home: Path) -> None:
    text = "# Board\n<!-- leaderboard:start -->\nold\n<!-- leaderboard:end -->\nend\n"
    (home / "board.md").write_text(text)


def _older(home: Path) -> None:
    """Publish a run of the same request that is older than the one there is, on another table."""
    from benchmark.results.publish import publish
    from benchmark.results.record import read_run, run_folder, write_run

    (folder,) = (home / _RUNS / "popularity").glob("[!.]*")
    run = read_run(folder)
    info = {k: v for k, v in run.info.items() if k != "schema"}
    name = f"{info['preset']}-s{info['seed']}-older"
    info |= {"run": name, "finished": "2020-01-01T00:00:00+00:00"}
    tables = run.tables()
    place = run_folder(home / "before", "tiny", "popularity", name)
    publish([write_run(place, info, tables, None)], home / "results" / "kept", print)
    shutil.rmtree(home / "before")


def _litter(home: Path) -> None:
    (home / _RUNS / "requests-0123456789ab.parquet").write_bytes(b"x")
    (run,) = (home / _RUNS / "popularity").glob("[!.]*")
    shutil.copytree(run, home / "results" / "checkpoints" / run.relative_to(home / "results/runs"))
    (home / "results" / "runs" / ".tiny.lock").write_text("{}")


COMMANDS = {
    each.name: each
    for each in (
        Command("run", _POPULARITY),
        Command("run of a trained model", _SASREC),
        Command("run --fresh", (*_POPULARITY, "--fresh"), (_POPULARITY,)),
        Command("run --fresh of a trained model", (*_SASREC, "--fresh"), (_SASREC,)),
        Command(
            "import",
            importing("search", "full"),
            (_POPULARITY, importing("rec", "full")),
        ),
        Command("publish", ("publish", _ANY, "--to", "results/kept"), (_POPULARITY,), _older),
        Command("tune", ("tune", "--model", "bm25", "--trials", "3", *_DATA)),
        Command("tune of a trained model", ("tune", *_SASREC[1:], "--trials", "2")),
        Command(
            "leaderboard --into", ("leaderboard", "--into", "board.md"), (_POPULARITY,), _markers
        ),
        Command(
            "leaderboard --out", ("leaderboard", "--out", "board.md"), (_POPULARITY,), _markers
        ),
        Command("data prepare", ("data", "prepare", "data/tiny")),
        Command("export", ("export", _ANY, "--out", "out", *_DATA), (_POPULARITY,)),
        Command("clean", ("clean", "--yes"), (_POPULARITY,), _litter),
    )
}
"""The commands that write."""
