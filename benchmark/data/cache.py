"""Cache of prepared data sets on disk: found by key, whole or not at all, checked when read.

An entry is a folder of three files without pickle: ``arrays.npz``, ``texts.jsonl`` (a line for
each stretch of a column) and a ``manifest.json`` that holds the checksums of the other two and of
itself. It is written beside its place and renamed, so several processes can prepare the same data
set at once: the first to finish is kept. What was not used for longest goes when there is too much.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.evaluation_set import CandidateLists, Part, Protocol, Relevant
from benchmark.data.events import EventLog
from benchmark.data.prepared import Prepared, PreparedRequests
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.folders import discard, workplace
from benchmark.names import as_name, below
from benchmark.unfinished import size_of

__all__ = ["LIMIT", "beyond", "cache_folder", "entry_of", "fetch", "store"]

LIMIT = 20 * 10**9
"""Bytes that all entries together take at most."""

_COLUMNS = tuple(f.name for f in fields(EventLog))
_ROWS = ("first", "stop", "omit")
_RELEVANT = tuple(f.name for f in fields(Relevant))
_BLOCK = 8 * 2**20
_STRETCH = 2**16


class _DamagedError(Exception):
    """An entry is there but is not what was written."""


def cache_folder(chosen: Path | None) -> Path:
    """Return the folder of prepared data sets: given, ``$BENCHMARK_CACHE``, or the user's."""
    if chosen is not None:
        return chosen
    if named := os.environ.get("BENCHMARK_CACHE"):
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("search-rec-benchmark", appauthor=False)


def entry_of(folder: Path, name: str, key: str) -> Path:
    """Return the folder that an entry has or would have."""
    return below(folder / "data", as_name(f"{name}-{key[:20]}"))


def fetch(folder: Path, name: str, key: str, notify: Callable[[str], object]) -> Prepared | None:
    """Return the entry of ``key``, or ``None`` where there is none or it is damaged.

    A damaged entry is told through ``notify`` and removed.
    """
    entry = entry_of(folder, name, key)
    try:
        before = entry.stat()
    except OSError:
        return None
    try:
        found = _read(entry, key)
    except (_DamagedError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        with suppress(OSError, InputError):
            # Another process may have put a good one in its place, or be about to.
            if os.path.samestat(before, entry.stat()):
                notify(
                    f"{name}: the prepared copy in {entry} is damaged ({error}); preparing it anew"
                )
                discard(entry)
        return None
    with suppress(OSError):
        os.utime(entry)
    return found


def store(
    folder: Path, name: str, key: str, prepared: Prepared, notify: Callable[[str], object]
) -> None:
    """Write an entry; a folder that cannot be written is told through ``notify``, no more."""
    entry = entry_of(folder, name, key)
    try:
        with workplace(entry) as draft:
            _write(draft, key, prepared)
            draft.rename(entry)
    except OSError as error:
        if not entry.is_dir():
            notify(f"{name}: not cached, as {entry.parent} cannot be written: {error.strerror}")
    for old in beyond(folder, LIMIT):
        if old != entry:
            with suppress(InputError):
                discard(old)


def beyond(folder: Path, limit: float) -> list[Path]:
    """Return the entries that were not used for longest, if all take more than ``limit`` bytes."""
    used: list[tuple[float, Path]] = []
    for entry in (folder / "data").glob("[!.]*"):
        with suppress(OSError):
            if not entry.is_symlink() and (entry / "manifest.json").is_file():
                used.append((entry.stat().st_mtime, entry))
    total, old = 0, []
    for _, entry in sorted(used, reverse=True):
        total += size_of(entry)
        if total > limit:
            old.append(entry)
    return old


def _write(draft: Path, key: str, prepared: Prepared) -> None:
    arrays: dict[str, Any] = {f"log.{name}": getattr(prepared.log, name) for name in _COLUMNS}
    arrays["train"] = prepared.train
    for (part, task), asked in prepared.requests.items():
        arrays |= {f"{part}.{task}.{name}": array for name, array in _arrays(asked)}
    with (draft / "arrays.npz").open("wb") as file:
        np.savez(file, **arrays)
        _flush(file)
    with (draft / "texts.jsonl").open("w", encoding="utf-8") as file:
        for (table, column), values in _columns(prepared):
            for start in range(0, max(1, len(values)), _STRETCH):
                line = [table, column, values[start : start + _STRETCH]]
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        _flush(file)
    manifest: dict[str, Any] = {
        "key": key,
        "requests": [
            [part, str(task), list(asked.lists)]
            for (part, task), asked in prepared.requests.items()
        ],
        "queries_digest": prepared.queries_digest,
        "content_digest": prepared.content_digest,
        "candidates_digest": prepared.candidates_digest,
        "notes": list(prepared.notes),
        "analyser": prepared.analyser,
        "files": {name: _sum(draft / name) for name in ("arrays.npz", "texts.jsonl")},
    }
    manifest["checksum"] = _manifest_sum(manifest)
    with (draft / "manifest.json").open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        _flush(file)


def _read(entry: Path, key: str) -> Prepared:
    manifest = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
    if manifest.pop("checksum") != _manifest_sum(manifest) or manifest["key"] != key:
        raise _DamagedError("manifest.json fails its checksum")
    for name, expected in manifest["files"].items():
        if _sum(entry / name) != expected:
            raise _DamagedError(f"{name} fails its checksum")
    texts: dict[str, dict[str, list[str]]]
    texts = {"users": {}, "items": {}, "fields": {}, "queries": {}}
    with (entry / "texts.jsonl").open(encoding="utf-8") as file:
        for line in file:
            table, column, values = json.loads(line)
            texts[table].setdefault(column, []).extend(values)
    users, items, columns, queries = (
        {name: tuple(values) for name, values in texts[table].items()} for table in texts
    )
    with np.load(entry / "arrays.npz", allow_pickle=False) as arrays:
        log = EventLog(**{name: arrays[f"log.{name}"] for name in _COLUMNS})
        train: NDArray[np.bool_] = arrays["train"]
        requests = {
            (cast(Part, part), Task(task)): _requests(arrays, f"{part}.{task}.", protocols)
            for part, task, protocols in manifest["requests"]
        }
    return Prepared(
        log=log,
        users=users["ids"],
        items=Items(fields=columns, **items),
        queries=Queries(**queries),
        train=train,
        requests=requests,
        queries_digest=manifest["queries_digest"],
        content_digest=manifest["content_digest"],
        candidates_digest=manifest["candidates_digest"],
        notes=tuple(manifest["notes"]),
        # Entries written before there was a choice were made by this one.
        analyser=manifest.get("analyser", "bigrams"),
    )


def _arrays(asked: PreparedRequests) -> Iterator[tuple[str, NDArray]]:
    for name in _ROWS:
        yield name, getattr(asked, name)
    for name in _RELEVANT:
        yield f"relevant.{name}", getattr(asked.relevant, name)
    for protocol, lists in asked.lists.items():
        yield f"{protocol}.offsets", lists.offsets
        yield f"{protocol}.items", lists.items


def _requests(
    arrays: Mapping[str, NDArray], prefix: str, protocols: list[Protocol]
) -> PreparedRequests:
    return PreparedRequests(
        **{name: arrays[prefix + name] for name in _ROWS},
        relevant=Relevant(*(arrays[f"{prefix}relevant.{name}"] for name in _RELEVANT)),
        lists={
            protocol: CandidateLists(
                arrays[f"{prefix}{protocol}.offsets"], arrays[f"{prefix}{protocol}.items"]
            )
            for protocol in protocols
        },
    )


def _columns(prepared: Prepared) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    items, queries = prepared.items, prepared.queries
    yield ("users", "ids"), prepared.users
    for name in ("ids", "titles", "texts"):
        yield ("items", name), getattr(items, name)
    for name, values in items.fields.items():
        yield ("fields", name), values
    for name in ("ids", "texts", "kinds"):
        yield ("queries", name), getattr(queries, name)


def _manifest_sum(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
