from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmark import signals
from benchmark.failures import blaming
from benchmark.run_log import RunLog

ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers_stay_as_they_were() -> Iterator[None]:
    # A job in the background starts deaf to some of them.
    outer = {number: signal.signal(number, signal.default_int_handler) for number in ALL}
    yield
    inside = {number: signal.signal(number, handler) for number, handler in outer.items()}
    assert set(inside.values()) == {signal.default_int_handler}


@pytest.mark.parametrize("number", ALL)
def test_each_signal_unwinds_and_is_told_apart(number: signal.Signals) -> None:
    left = []
    with pytest.raises(signals.Interruption) as caught, signals.interruptible():
        try:
            signal.raise_signal(number)
        finally:
            left.append(number)
    assert (caught.value.number, left) == (number, [number])
    signals.check()  # forgotten, once it is told


def test_a_second_signal_does_not_disturb_the_end() -> None:
    left = []
    with pytest.raises(signals.Interruption) as caught, signals.interruptible():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            left.append("in order")
    assert (caught.value.number, left) == (signal.SIGTERM, ["in order"])


def _swallow() -> None:
    with suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)


def test_a_library_that_swallows_the_exception_does_not_go_on() -> None:
    reached = []
    run_log = RunLog(quiet=True)
    with (
        pytest.raises(signals.Interruption),
        signals.interruptible(),
        run_log.phase("fit"),
        run_log.progress("epochs", 3) as bar,
    ):
        _swallow()
        bar.advance()
        reached.append("epoch 2")
    with pytest.raises(signals.Interruption), signals.interruptible():
        _swallow()
        with run_log.phase("evaluate"):
            reached.append("evaluate")
    with pytest.raises(signals.Interruption), signals.interruptible():
        _swallow()
    assert reached == []


def test_an_error_that_a_library_makes_of_it_is_no_fault_of_a_model() -> None:
    with (
        pytest.raises(signals.Interruption) as caught,
        signals.interruptible(),
        blaming("model 'x'"),
    ):
        try:
            signal.raise_signal(signal.SIGHUP)
        except KeyboardInterrupt as error:
            raise RuntimeError("worker died") from error
    assert caught.value.number == signal.SIGHUP


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with signals.interruptible():
        signal.raise_signal(signal.SIGHUP)
    assert signal.signal(signal.SIGHUP, signal.default_int_handler) is signal.SIG_IGN


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match="other"), signals.interruptible():
        raise ValueError("other")


IMPORTING = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), {number})
                os.stat(".")
            except BaseException:  # as some libraries do
                pass

sys.meta_path.insert(0, Finder())
sys.argv = ["benchmark", "list", "models"]
runpy.run_module("benchmark", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("module", ["typer", "benchmark.registry"])
def test_a_signal_while_modules_are_imported_ends_in_one_line(
    number: signal.Signals, module: str
) -> None:
    code = IMPORTING.format(module=module, number=int(number))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr.startswith(f"error: interrupted by {number.name}; ")
    assert done.stderr.count("\n") == 1


INSISTING = """
import os, signal, time
from benchmark import signals
signals.listen()
signals._GRACE = 0.2
with signals.interruptible():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
"""


def test_an_end_that_hangs_can_be_cut_short() -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", INSISTING],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.curdir,
    )
    assert done.returncode == 143
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - begun < 50
