"""The application: its commands, and how errors become one line and an exit status."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, NoReturn

import typer

from benchmark.cli.check import check
from benchmark.cli.clean import clean
from benchmark.cli.compare import compare
from benchmark.cli.data import app as data_app
from benchmark.cli.identifiers import identifiers
from benchmark.cli.leaderboard import leaderboard
from benchmark.cli.list import list_
from benchmark.cli.predict import predict
from benchmark.cli.publish import publish
from benchmark.cli.run import run
from benchmark.cli.tiers import tiers
from benchmark.cli.trec import export, import_
from benchmark.cli.tune import tune
from benchmark.errors import BenchmarkError
from benchmark.plain_text import plain

__all__ = ["app", "main"]

# Recent Typer brings its own copy of click, older ones use the package; either way these are the
# bases of what it raises.
_CLICK_ERROR: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

_INTERRUPTED = 130

app = typer.Typer(
    name="benchmark",
    help="Benchmark for models that serve search and recommendation together.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Benchmark for models that serve search and recommendation together."""


app.command("run")(run)
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
    """Run the command line; exit status 0 done, 1 a check failed, 2 bad usage or input."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    signal.signal(signal.SIGINT, _interrupt)
    try:
        status = app(args=arguments, prog_name="python -m benchmark", standalone_mode=False)
    except BenchmarkError as error:
        if debug:
            raise
        _fail(str(error), error.exit_status)
    except typer.Exit as done:
        status = done.exit_code
    except _CLICK_ERROR as error:
        message = getattr(error, "format_message", error.__str__)()
        if not message:  # no command was given, and the help is written already
            sys.exit(2)
        _fail(message, 2)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    except Exception:
        # A library may catch the interrupt and fail with an error of its own.
        if not _interrupts:
            raise
        status = _INTERRUPTED
    if status == _INTERRUPTED:  # recent Typer returns it in place of KeyboardInterrupt
        _fail("interrupted; the same command goes on from the last checkpoint", _INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


_interrupts: list[int] = []


def _interrupt(number: int, frame: object) -> None:
    _interrupts.append(number)
    raise KeyboardInterrupt


def _fail(message: str, status: int) -> NoReturn:
    line = plain(" ".join(message.split()))
    print(f"error: {line}", file=sys.stderr)  # noqa: T201
    sys.exit(status)
