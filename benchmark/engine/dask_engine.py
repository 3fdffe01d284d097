"""Several works at a time by Dask: processes on this machine, or the workers of any cluster.

Dask says which worker does what and notices workers that die. What waits for what is the engine's
own knowledge, so that works may be submitted at any time and a failed one gives up few others.
A worker holds nothing but a process in which works are done (see :mod:`benchmark.engine.nursery`):
it answers its scheduler however long a work computes.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

import psutil

from benchmark import control_groups
from benchmark.engine.attempts import THREADS, Parcel, Place, here
from benchmark.engine.engine import ATTEMPTS, Engine, News, Watch
from benchmark.engine.work import Ended, Work
from benchmark.errors import BenchmarkError, InputError
from benchmark.failures import described
from benchmark.processes import SIBLINGS

if TYPE_CHECKING:
    from distributed import Client, Future, SpecCluster, Worker

__all__ = ["DaskEngine", "check_address", "cores", "is_installed"]

_TOPIC = "benchmark-works"
_PATIENCE = 20.0
"""Seconds to wait for a scheduler that does not answer."""
_LACKING = 30.0
"""Seconds without a worker that should be there after which something is done about it."""
_LOOK = 1.0
"""Seconds between two looks whether a work was called back."""
_STARTS = 3
"""How often workers are started of which one dies at once."""
_of_thread = threading.local()


def is_installed() -> bool:
    """Return whether the extra ``cluster`` is there."""
    from importlib.util import find_spec

    return find_spec("distributed") is not None


def cores() -> int:
    """Return how many cores this process may use: of its machine, or of its container."""
    affinity = getattr(os, "sched_getaffinity", None)
    number = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = control_groups.processors()
    return number if quota is None else min(number, math.ceil(quota))


def check_address(scheduler: str | None) -> None:
    """Refuse a blank address, for which Dask would start a cluster of its own.

    Raises:
        InputError: it is blank.
    """
    if scheduler is not None and not scheduler.strip():
        raise InputError("--scheduler: no address is given; write it as tcp://HOST:8786")


class DaskEngine(Engine):
    """Does works on Dask's workers, one at a time for each thread that a worker has.

    Args:
        logs: the folder of the works' logs; workers on other machines must see it too.
        workers: processes to start on this machine; they share its cores out evenly, unless
            ``OMP_NUM_THREADS`` says otherwise.
        scheduler: the address of a scheduler that runs already, in place of ``workers``; how many
            threads a work has is what ``OMP_NUM_THREADS`` was where the worker was started.
        gpus: names of GPUs as ``CUDA_VISIBLE_DEVICES`` takes them, dealt out to the workers.
        attempts: see :class:`Engine`. A scheduler that runs already has its own bound as well.
        watch: see :class:`Engine`.
        tell: takes a line that a person should know.

    Raises:
        InputError: the extra is not installed, the address is blank, or no scheduler answers.
    """

    def __init__(
        self,
        logs: Path,
        workers: int = 1,
        scheduler: str | None = None,
        gpus: Sequence[str] = (),
        attempts: int = ATTEMPTS,
        watch: Watch = lambda news: None,
        tell: Callable[[str], object] = lambda line: None,
    ) -> None:
        super().__init__(logs, attempts, watch)
        if not is_installed():
            raise InputError(
                "several runs at a time need Dask: pip install 'search-rec-benchmark[cluster]'"
            )
        check_address(scheduler)
        self._tell = tell
        self._at_work: dict[Future, str] = {}
        self._ends: Queue[Future] = Queue()
        self._own = workers if scheduler is None else 0
        self._lacking_since, self._told_alone = time.monotonic(), False
        self._client: Client | None = None
        self._cluster = _local(workers, gpus) if scheduler is None else None
        try:
            self._client = _connected(self._cluster if scheduler is None else scheduler)
        except BaseException:
            self.close()
            raise
        self._dask.subscribe_topic(_TOPIC, self._hear)

    def close(self) -> None:
        """Call back what is at work, and end the workers that were started here."""
        own = psutil.Process().children() if self._cluster is not None else []
        works = [each for worker in own for each in _below(worker)]
        with suppress(Exception):  # whoever has gone already needs no goodbye
            if self._client is not None:
                self._client.cancel(list(self._at_work), force=True)
                self._client.close(timeout=5)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=10)
            psutil.wait_procs(works, timeout=15)  # they leave everything in order

    def room(self) -> int:
        """Return a place for each worker here; a scheduler elsewhere may start more if it sees all.

        A work that only waits on a worker would count as killed with it.
        """
        return self._own or 2**30

    def places(self) -> int:
        """Return the number of workers here, or of the threads of all workers of a scheduler."""
        if self._own:
            return self._own
        try:
            return sum(self._dask.nthreads().values())
        except Exception:
            self._look_around()
            return 0

    def _start(self, work: Work, attempt: int) -> None:
        parcel = Parcel.of(work, self.log_of(work.key), attempt)
        name = f"{work.key}-{attempt}-{time.monotonic_ns()}"
        future = self._dask.submit(_perform, parcel, key=name, pure=False)
        self._at_work[future] = work.key
        future.add_done_callback(self._ends.put)

    def _next(self, patience: float) -> Ended | None:
        try:
            future = self._ends.get(timeout=patience)
        except Empty:
            self._look_around()
            return None
        return self._ended(self._at_work.pop(future), future)

    def _ended(self, key: str, future: Future) -> Ended:
        from distributed import KilledWorker

        self._check_scheduler()
        if future.status in ("cancelled", "lost"):
            return Ended(key, "killed", reason="its worker was lost")
        try:
            ended: Ended = future.result()
        except KilledWorker:
            return Ended(key, "killed", reason="its worker was killed")
        except Exception as error:
            self._check_scheduler()
            said = str(error) if isinstance(error, BenchmarkError) else described(error)
            return Ended(key, "failed", reason=f"its worker failed: {said}")
        return ended

    def _check_scheduler(self) -> None:
        if self._dask.status not in ("running", "connecting"):
            raise BenchmarkError("the scheduler has gone; the same command goes on")

    def _look_around(self) -> None:
        """Notice that the scheduler has gone, or workers have."""
        self._check_scheduler()
        there, now = len(self._dask.scheduler_info(n_workers=-1)["workers"]), time.monotonic()
        if there >= max(1, self._own):
            self._lacking_since = now
        elif now - self._lacking_since > _LACKING:
            self._lacking_since = now
            if self._cluster is not None:  # one that was killed while it started
                self._cluster.scale(self._own)
            elif not self._told_alone:
                self._told_alone = True
                self._tell(f"no worker has come to {self._dask.scheduler.address} yet; waiting")

    def _hear(self, event: tuple[float, Any]) -> None:
        _, (key, who) = event
        if key in self._running:  # else it is another engine's, on the same scheduler
            self._watch(News(key, "started", who))

    @property
    def _dask(self) -> Client:
        assert self._client is not None
        return self._client


def _perform(parcel: Parcel) -> Ended:
    """Do a work, on a worker."""
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(_TOPIC, [parcel.key, here()])
    if not hasattr(_of_thread, "place"):
        # Dask presets MKL_NUM_THREADS to 1 for its workers, which torch would obey.
        told = os.environ.get("OMP_NUM_THREADS")
        _of_thread.place = Place(dict.fromkeys(THREADS, told) if told else {})
    place: Place = _of_thread.place
    over = threading.Event()
    about = worker, worker.get_current_task(), place, over
    threading.Thread(target=_end_if_called_back, args=about, daemon=True).start()
    try:
        return place.attempt(parcel)
    finally:
        over.set()


def _end_if_called_back(worker: Worker, task: str, place: Place, over: threading.Event) -> None:
    """End a work that nobody waits for any more, which Dask itself leaves to run."""
    while not over.wait(_LOOK):
        known = worker.state.tasks.get(task)
        if known is None or known.state in ("cancelled", "released", "forgotten"):
            place.close()
            return


def _below(process: psutil.Process) -> list[psutil.Process]:
    """Return what a process has started, and what that has started."""
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _local(workers: int, gpus: Sequence[str]) -> SpecCluster:
    """Start a scheduler and workers on this machine."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // workers))
    environment = {**dict.fromkeys(THREADS, threads), SIBLINGS: str(workers)}
    cards = [{"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} if gpus else {} for n in range(workers)]
    quiet = {"silence_logs": logging.CRITICAL}
    # The limit would be on the worker, which holds nothing: it has no memory but for its works.
    unseen = {"dashboard": False, "dashboard_address": ":0"}
    about = {"nthreads": 1, "memory_limit": None, **unseen, **quiet}
    settings = {
        "distributed.nanny.pre-spawn-environ": {},
        "distributed.scheduler.allowed-failures": 0,  # the engine counts attempts itself
        "distributed.worker.memory.terminate": False,
    }
    specification = {
        n: {"cls": Nanny, "options": {**about, "env": {**environment, **card}}}
        for n, card in enumerate(cards)
    }
    scheduler = {"cls": Scheduler, "options": {**unseen, "host": "127.0.0.1"}}
    with dask.config.set(settings), _deaf_to_interrupts():
        for start in range(1, _STARTS + 1):
            try:
                return SpecCluster(workers=specification, scheduler=scheduler, **quiet)
            except RuntimeError as error:  # noqa: PERF203
                if start == _STARTS:
                    raise BenchmarkError(
                        f"no workers can be started: {described(error)}"
                    ) from error
    raise AssertionError


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let the threads and processes that are begun inside not hear Ctrl-C, nor those below them.

    A terminal sends it to all, and an idle worker would die of it with a traceback. Workers that
    are started later, for others that died, come from one of these threads. This thread hears at
    the end what came meanwhile.
    """
    resource_tracker.ensure_running()  # it lets whichever thread starts it hear again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _connected(to: str | SpecCluster | None) -> Client:
    """Return a client of a scheduler.

    Raises:
        InputError: it does not answer.
    """
    from distributed import Client

    try:
        return Client(to, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--scheduler {to}: no scheduler answers there ({type(error).__name__}); write it as"
            " tcp://HOST:8786, where `dask scheduler` runs"
        ) from error
