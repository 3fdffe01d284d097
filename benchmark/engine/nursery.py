"""A process that has imported what works need, and from which each of them is forked.

``python -m benchmark.engine.nursery MODULE…`` imports the modules, computes nothing, and then does
one work after another, each in a fork of its own: it begins with fresh memory and untouched random
states, as a process that was started for it alone, but without the seconds that imports take. Its
peak memory is its own, and whatever kills it takes nothing else along.

Requests come on stdin and replies go to stdout, pickled behind their length. Both ends are of one
program, and nobody else has the pipes. When stdin ends, whoever asked has gone: the work is
interrupted as by Ctrl-C, so that it leaves everything in order.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import IO, Any

from benchmark import signals
from benchmark.errors import BenchmarkError
from benchmark.failures import described
from benchmark.locks import BusyError

__all__ = ["receive", "send"]

_GRACE = 5.0
"""Seconds that a work has to leave everything in order."""
_WIDTH = 8
"""Bytes of a length."""


def send(stream: IO[bytes], content: bytes) -> None:
    """Write some bytes behind their length.

    Raises:
        OSError: nobody reads them.
    """
    stream.write(len(content).to_bytes(_WIDTH, "big") + content)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Return what :func:`send` wrote, ``None`` where the stream ends before."""
    head = stream.read(_WIDTH)
    size = int.from_bytes(head, "big")
    content = stream.read(size) if len(head) == _WIDTH else b""
    return content if len(head) == _WIDTH and len(content) == size else None


def _main() -> None:
    """Serve until stdin ends."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    for number in (signal.SIGINT, signal.SIGHUP):  # those of a terminal are for whoever asks
        signal.signal(number, signal.SIG_IGN)
    for name in sys.argv[1:]:
        with suppress(Exception, SystemExit):  # the work that needs it fails by itself, and is told
            import_module(name)
    gc.freeze()  # what is never looked at again stays shared with the forks
    with suppress(BrokenPipeError):
        while (request := receive(requests)) is not None:
            if (child := os.fork()) == 0:
                _work(request, requests, replies)
            _, status = os.waitpid(child, 0)
            send(replies, pickle.dumps(("ended", os.waitstatus_to_exitcode(status))))


def _work(request: bytes, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Do a work in the fork, reply, and end it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # a worker of Dask has it blocked
    Thread(target=_end_with, args=(requests,), daemon=True).start()
    status = 1
    try:
        log, environment, more = pickle.loads(request)
        for stream in (1, 2):
            os.dup2(log_file := os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), stream)
            os.close(log_file)
        os.environ.update(environment)
        with suppress(OSError):
            send(replies, _done(more))
        status = 0
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _done(work: bytes) -> bytes:
    """Return how a work ended, and its value or the reason, pickled."""
    try:
        with signals.interruptible():
            call, arguments = _unpickled(work)
            return pickle.dumps(("done", call(*arguments)))
    except BusyError as error:
        end = "busy", _line(str(error))
    except KeyboardInterrupt:
        end = "killed", "it was interrupted"
    except BenchmarkError as error:
        traceback.print_exc()
        end = "failed", _line(str(error))
    except BaseException as error:  # whatever it is, it is this work's alone
        traceback.print_exc()
        end = "failed", described(error)
    return pickle.dumps(end)


def _unpickled(work: bytes) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    call, arguments = pickle.loads(work)
    return call, arguments


def _line(text: str) -> str:
    return " ".join(text.split())


def _end_with(requests: IO[bytes]) -> None:
    """Interrupt this process when whoever asked for the work has gone, and kill it if need be.

    Nothing else is asked for before the reply, so that reading returns at the end only.
    """
    os.read(requests.fileno(), 1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _main()
