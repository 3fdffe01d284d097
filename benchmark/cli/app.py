"""The application: its commands, and how errors become one line and an exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from benchmark import signals
from benchmark.cli.check import check
from benchmark.cli.check_model import check_model
from benchmark.cli.clean import clean
from benchmark.cli.compare import compare
from benchmark.cli.data import app as data_app
from benchmark.cli.doctor import doctor
from benchmark.cli.identifiers import identifiers
from benchmark.cli.launched import hush, refuse_several
from benchmark.cli.leaderboard import leaderboard
from benchmark.cli.list import list_
from benchmark.cli.model import app as model_app
from benchmark.cli.output import discard_stdout, remark, show_error, show_lines
from benchmark.cli.predict import predict
from benchmark.cli.publish import publish
from benchmark.cli.run import run
from benchmark.cli.surroundings import check_surroundings
from benchmark.cli.sweep import sweep
from benchmark.cli.tiers import tiers
from benchmark.cli.trec import export, import_
from benchmark.cli.tune import tune
from benchmark.errors import BenchmarkError, InputError
from benchmark.version import __version__

__all__ = ["COMMANDS", "SCRIPT", "app", "main"]

# Recent Typer brings its own copy of click, older ones use the package; either way these are the
# bases of what it raises.
_CLICK_ERROR: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

_INTERRUPTED = 128 + signal.SIGINT
SCRIPT = "sr-benchmark"
"""The console script, for which a shell can complete words."""

app = typer.Typer(
    name="benchmark",
    help="Benchmark for models that serve search and recommendation together.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        show_lines([__version__])
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Benchmark for models that serve search and recommendation together."""
    refuse_several(context.invoked_subcommand)


COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "run": (run, "run --model popularity,bm25 --preset quick"),
    "sweep": (sweep, "sweep mine.yaml --workers 1"),
    "tune": (tune, "tune --model bm25 --trials 5"),
    "list": (list_, "list models"),
    "leaderboard": (leaderboard, "leaderboard --preset quick --format html --out leaderboard.html"),
    "compare": (
        compare,
        "compare results/runs/ml-100k/popularity/quick-* results/runs/ml-100k/bm25/quick-*",
    ),
    "tiers": (tiers, "tiers scores.csv"),
    "check": (check, "check --baseline baseline"),
    "publish": (publish, "publish results/runs/ml-100k/*/quick-* --to baseline"),
    "clean": (clean, "clean"),
    "predict": (predict, "predict RUN --user 7"),
    "identifiers": (identifiers, "identifiers RUN --item 50"),
    "export": (export, "export results/runs/ml-100k/bm25/quick-* --format trec --out trec"),
    "import": (
        import_,
        "import trec/run.search.full.txt --name other --dataset ml-100k --task search"
        " --protocol full",
    ),
    "check-model": (check_model, "check-model bm25"),
    "doctor": (doctor, "doctor"),
}
"""Every command by its name, with an example that the documentation has too, of some run."""
for _name, (_function, _example) in COMMANDS.items():
    app.command(_name, epilog=f"Example: python -m benchmark {_example}")(_function)
app.add_typer(data_app, name="data")
app.add_typer(model_app, name="model")


def main() -> NoReturn:
    """Run the command line and end the process.

    Exit status 0: done; 1: a check failed; 2: bad usage or input, or something failed; 128 + n:
    signal n ended it.
    """
    try:
        with signals.interruptible():
            hush()
            check_surroundings()
            status = _run()
    except BaseException as error:  # whatever it is, it ends in one line
        status = _ended_by(error)
    sys.exit(status)


def _run() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    script = Path(sys.argv[0]).name
    name = SCRIPT if script == SCRIPT else "python -m benchmark"
    status = app(args=arguments, prog_name=name, standalone_mode=False)
    if status == _INTERRUPTED:  # Typer returns it in place of KeyboardInterrupt
        raise KeyboardInterrupt
    try:
        sys.stdout.flush()  # help was written past `show`
    except BrokenPipeError:
        discard_stdout()
    return status if isinstance(status, int) else 0


def _ended_by(error: BaseException) -> int:
    """Tell what ended a command, and return the exit status."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        number = getattr(error, "number", signal.SIGINT)
        remark(f"error: {signals.parting(number)}")
        signals.leave(number)
        return 128 + number
    if isinstance(error, SystemExit):  # a reader that has closed stdout, as Click and rich tell it
        discard_stdout()
        return 0
    if isinstance(error, _CLICK_ERROR):
        message = getattr(error, "format_message", error.__str__)()
        if message:  # else no command was given, and the help is written already
            show_error(InputError(message))
        return 2
    show_error(error)
    return error.exit_status if isinstance(error, BenchmarkError) else 2
