"""The application: its commands, and how errors become one line and an exit status."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, NoReturn

import typer

from benchmark import signals
from benchmark.cli.check import check
from benchmark.cli.clean import clean
from benchmark.cli.compare import compare
from benchmark.cli.data import app as data_app
from benchmark.cli.identifiers import identifiers
from benchmark.cli.launched import hush, refuse_several
from benchmark.cli.leaderboard import leaderboard
from benchmark.cli.list import list_
from benchmark.cli.output import discard_stdout, remark, show_error
from benchmark.cli.predict import predict
from benchmark.cli.publish import publish
from benchmark.cli.run import run
from benchmark.cli.surroundings import check_surroundings
from benchmark.cli.sweep import sweep
from benchmark.cli.tiers import tiers
from benchmark.cli.trec import export, import_
from benchmark.cli.tune import tune
from benchmark.errors import BenchmarkError, InputError

__all__ = ["app", "main"]

# Recent Typer brings its own copy of click, older ones use the package; either way these are the
# bases of what it raises.
_CLICK_ERROR: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="benchmark",
    help="Benchmark for models that serve search and recommendation together.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Benchmark for models that serve search and recommendation together."""
    refuse_several(context.invoked_subcommand)


app.command("run")(run)
app.command("sweep")(sweep)
app.command("tune")(tune)
app.command("list")(list_)
app.command("leaderboard")(leaderboard)
app.command("compare")(compare)
app.command("tiers")(tiers)
app.command("check")(check)
app.command("publish")(publish)
app.command("clean")(clean)
app.command("predict")(predict)
app.command("identifiers")(identifiers)
app.command("export")(export)
app.command("import")(import_)
app.add_typer(data_app, name="data")


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
    status = app(args=arguments, prog_name="python -m benchmark", standalone_mode=False)
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
