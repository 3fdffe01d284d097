"""``python -m tests.engine.interrupted FOLDER``: two workers, of which one has something to do."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from benchmark import signals
from benchmark.engine.dask_engine import DaskEngine
from benchmark.engine.work import Work
from tests.engine import calls


def _main(place: Path) -> None:
    with (
        suppress(KeyboardInterrupt),
        signals.interruptible(),
        DaskEngine(place / "logs", workers=2) as engine,
    ):
        engine.submit(Work("waits", calls.leave_in_order, (place / "mark",)))
        list(engine.finished())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
