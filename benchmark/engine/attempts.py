"""One attempt at a work: in a fork of a process that has imported what the work needs."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.engine.nursery import receive, send
from benchmark.engine.work import Ended, How, Work
from benchmark.errors import InputError

__all__ = ["THREADS", "Parcel", "Place", "here", "surroundings"]

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What libraries ask for how many threads to compute on, torch among them."""
_GRACE = 10.0
"""Seconds to wait for a work that was told to end."""


@dataclass(frozen=True)
class Parcel:
    """A work on its way: nobody who only hands it on imports what it needs.

    Attributes:
        key: of the work.
        imports: modules that its process imports first.
        content: call and arguments, pickled.
        log: the file to which its stdout and stderr are appended.
        attempt: number of the attempt, from 1.
        told: variables that the work sees beside those of the place.
    """

    key: str
    imports: tuple[str, ...]
    content: bytes
    log: str
    attempt: int
    told: Mapping[str, str]

    @classmethod
    def of(cls, work: Work, log: Path, attempt: int) -> Parcel:
        """Pack a work."""
        content = pickle.dumps((work.call, work.arguments))
        imports = work.call.__module__, *work.imports
        return cls(work.key, imports, content, str(log), attempt, surroundings())


def surroundings() -> dict[str, str]:
    """Return the variables that say where data, cards and caches lie, wherever works are done."""
    named = {n: v for n, v in os.environ.items() if n.startswith("BENCHMARK_") and v}
    return {name: os.path.abspath(value) for name, value in named.items()}  # noqa: PTH100


def here() -> str:
    """Return the name of this machine, without its domain."""
    return socket.gethostname().partition(".")[0]


class Place:
    """Where one work at a time is done.

    Processes with other imports than the last work's are ended, as each holds some hundred MiB.

    Args:
        environment: variables that works see beside those of this process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        # A torch that asks the driver itself leaves forks without CUDA.
        self._environment = {**os.environ, "PYTORCH_NVML_BASED_CUDA_CHECK": "1", **environment}
        self._imports: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None

    def attempt(self, parcel: Parcel) -> Ended:
        """Do a work, and return how that ended.

        Raises:
            InputError: the log cannot be written.
        """
        begun, log = time.monotonic(), Path(parcel.log)
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{moment} {parcel.key}: attempt {parcel.attempt} on {here()}\n")
        except OSError as error:
            raise InputError(f"{log}: cannot be written: {error.strerror}") from error
        process = self._fit_for(parcel.imports)
        how, value = self._asked(process, parcel)
        seconds, who = time.monotonic() - begun, f"{here()}:{process.pid}"
        with suppress(OSError), log.open("a", encoding="utf-8") as file:
            why = "" if how == "done" else f": {value}"
            file.write(f"{time.strftime('%H:%M:%S')} {how} in {seconds:.1f} s{why}\n")
        if how == "done":
            return Ended(parcel.key, "done", value, "", seconds, who)
        return Ended(parcel.key, how, None, str(value), seconds, who)

    def close(self) -> None:
        """End the process, and wait for a work that is still in it."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _fit_for(self, imports: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Return a process that has imported these modules and no others."""
        if self._process is None or self._imports != imports or self._process.poll() is not None:
            self.close()
            self._imports = imports
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmark.engine.nursery", *imports],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**self._environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # Ctrl-C is for whoever asks
            )
        return self._process

    def _asked(self, process: subprocess.Popen[bytes], parcel: Parcel) -> tuple[How, object]:
        """Let the process do a work; return how it ended, and the value or the reason."""
        assert process.stdin is not None and process.stdout is not None
        reply: tuple[How, object] | None = None
        try:
            send(process.stdin, pickle.dumps((parcel.log, dict(parcel.told), parcel.content)))
            while (content := receive(process.stdout)) is not None:
                how, value = pickle.loads(content)
                if how == "ended":
                    return reply or ("killed", _told_by(value))
                reply = how, value
        except (BrokenPipeError, ValueError):  # it has gone, or was closed by another thread
            pass
        status = process.wait()
        return reply or ("killed", _told_by(status))


def _told_by(status: int) -> str:
    """Return in words how a process ended that has not replied."""
    if status >= 0:
        return f"its process ended with status {status}"
    with suppress(ValueError):
        name = signal.Signals(-status).name
        more = ", as the system does where memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{more}"
    return f"its process was killed by signal {-status}"
