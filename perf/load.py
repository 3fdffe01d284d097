"""Loading a data set: rows per second, as slopes over growing files, against pandas and a loop.

Ours reads events, items and queries, checks, numbers, orders and groups them, splits them, finds
what is relevant and the lists that were shown, and writes the prepared copy. The peers do the least
that any of it needs: they read the file of events, keep what was taken, number users and items,
sort each user's events by time, and cut 8:1:1 in time. The loop visits the rows one by one in
Python, as the notebooks do that accompany published data. Every side has a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from perf.load_data import Size, write_folder
from perf.measurement import Measurement

__all__ = ["NOTEBOOK", "measure"]

ROWS = (10**5, 10**6, 10**7)
NOTEBOOK = 10_400
"""Rows per second of the official notebook of KuaiSAR, measured on 2 cores."""

Counted = dict[str, int]


def measure(rows: Sequence[int] = ROWS) -> list[Measurement]:
    """Return a measurement for each peer.

    Args:
        rows: sizes of the files; the slope over all of them is what counts.
    """
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in _SIDES}
    with tempfile.TemporaryDirectory() as place:
        for size in sorted(rows):
            folder = write_folder(Path(place, str(size)), Size.of(size), protocols=("given",))
            os.sync()  # what is still to be written would be written beside the first reader
            for side, runs in found.items():
                runs.append(_in_a_process(side, folder, Path(place, "cache")))
    ours = found["ours"]
    details = {
        "rows": sorted(rows),
        **{f"{side} rows/s": 1 / _slope(rows, runs) for side, runs in found.items()},
        **{
            f"{side} rows per CPU s": 1 / _slope(rows, runs, "cpu_seconds")
            for side, runs in found.items()
        },
        **{f"{side} peak MiB": [run["peak_mib"] for run in runs] for side, runs in found.items()},
        "ours opened again, s": [run["seconds"] for run in found["opened"]],
        "official notebook rows/s": NOTEBOOK,
        "ours over the notebook": 1 / _slope(rows, ours) / NOTEBOOK,
    }
    peers = {"pandas": f"pandas {version('pandas')}", "loop": "a loop over rows in Python"}
    return [
        Measurement(
            name=f"load, against {name}",
            ours_s=_slope(rows, ours) * 10**6,
            peer=name,
            peer_s=_slope(rows, found[side]) * 10**6,
            agree=all(a["counted"] == b["counted"] for a, b in zip(ours, found[side], strict=True)),
            details={**details, "unit": "seconds for a million rows, by the slope"},
        )
        for side, name in peers.items()
    ]


def _slope(rows: Sequence[int], runs: Sequence[dict[str, Any]], clock: str = "seconds") -> float:
    """Return the seconds that each further row takes."""
    seconds = [run[clock] for run in runs]
    if len(seconds) == 1:
        return float(seconds[0] / rows[0])
    return float(np.polyfit(sorted(rows), seconds, 1)[0])


def _in_a_process(side: str, folder: Path, cache: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "perf.load", side, str(folder), str(cache)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _ours(folder: Path, cache: Path) -> Counted:
    from benchmark.data.load import load_dataset

    data = load_dataset(folder, cache=cache)
    starts = data.log.offsets[:-1][np.diff(data.log.offsets) > 0]
    begin, end = _cuts(data.log.time)
    return {
        "events": len(data.log),
        "users": len(starts),
        "before": int((data.log.time < begin).sum()),
        "after": int((data.log.time >= end).sum()),
        "first": int(data.log.time[starts].sum() % 2**31),
    }


def _cuts(times: np.ndarray) -> tuple[int, int]:
    at = [len(times) * 8 // 10, len(times) * 9 // 10]
    begin, end = np.partition(times, at)[at]
    return int(begin), int(end)


def _pandas(folder: Path, cache: Path) -> Counted:
    import pandas as pd

    events = pd.read_csv(folder / "big.inter", sep="\t", keep_default_na=False)
    events.columns = [name.partition(":")[0] for name in events.columns]
    events = events[events["click"] > 0]
    events = events.drop_duplicates(["user_id", "item_id", "timestamp", "query_id"])
    for name in ("user_id", "item_id", "query_id"):
        events[name] = pd.factorize(events[name], sort=True)[0]
    events = events.sort_values(["user_id", "timestamp"], kind="stable")
    times = events["timestamp"].to_numpy()
    begin, end = _cuts(times)
    return {
        "events": len(events),
        "users": int(events["user_id"].nunique()),
        "before": int((times < begin).sum()),
        "after": int((times >= end).sum()),
        "first": int(events.groupby("user_id")["timestamp"].first().sum() % 2**31),
    }


def _loop(folder: Path, cache: Path) -> Counted:
    histories: dict[str, list[tuple[int, str, str]]] = {}
    known: set[tuple[str, ...]] = set()
    with (folder / "big.inter").open(encoding="utf-8") as file:
        next(file)
        for line in file:
            user, item, moment, query, _, click = line.rstrip("\n").split("\t")
            event = (user, item, moment, query)
            if float(click) > 0 and event not in known:
                known.add(event)
                histories.setdefault(user, []).append((int(moment), item, query))
    for history in histories.values():
        history.sort()
    times = np.array([event[0] for history in histories.values() for event in history])
    begin, end = _cuts(times)
    return {
        "events": len(times),
        "users": len(histories),
        "before": sum(event[0] < begin for history in histories.values() for event in history),
        "after": sum(event[0] >= end for history in histories.values() for event in history),
        "first": sum(history[0][0] for history in histories.values()) % 2**31,
    }


_SIDES: dict[str, Callable[[Path, Path], Counted]] = {
    "ours": _ours,
    "opened": _ours,
    "pandas": _pandas,
    "loop": _loop,
}
"""``opened`` is ours once more, from the prepared copy."""


def _main(side: str, folder: str, cache: str) -> None:
    import benchmark.data.prepare  # noqa: F401  what is imported is not loading

    started, worked = time.perf_counter(), time.process_time()
    counted = _SIDES[side](Path(folder), Path(cache))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "cpu_seconds": cpu, "peak_mib": round(peak), "counted": counted}
    print(json.dumps(told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
