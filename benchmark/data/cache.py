"""Cache of prepared data sets on disk: found by key, whole or not at all, checked when read.

An entry is a folder of an ``.npy`` file for each array, an ``.arrow`` file (Arrow IPC) for each
table of texts, none of them with pickle, and a ``manifest.json`` that holds the checksums of all
and of itself. It is written beside its place and renamed, so several processes can prepare the same
data set at once: the first to finish is kept. What was not used for longest goes when there is too
much.

When an entry is opened its files are mapped into memory and their checksums looked at, so that they
take no memory of the process but what the system can have back at any time. Nothing is flushed when
they are written: what a power cut leaves half written fails its checksum and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.evaluation_set import CandidateLists, Part, Protocol, Relevant
from benchmark.data.events import EventLog
from benchmark.data.prepared import Prepared, PreparedRequests
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn
from benchmark.errors import InputError
from benchmark.folders import discard, workplace
from benchmark.names import as_name, below
from benchmark.unfinished import size_of

__all__ = ["LIMIT", "beyond", "cache_folder", "entry_of", "fetch", "store"]

LIMIT = 20 * 10**9
"""Bytes that all entries together take at most."""

_BLOCK = 2**20
"""Bytes of a file that are summed at once; mapped as a whole, it would count as memory in use."""
_LAYOUT = 2
"""Counts changes of what files an entry has."""
_COLUMNS = tuple(f.name for f in fields(EventLog))
_ROWS = ("first", "stop", "omit", "repeats")
_RELEVANT = tuple(f.name for f in fields(Relevant))


class _DamagedError(Exception):
    """An entry is there but is not what was written."""


class _OtherLayoutError(Exception):
    """An entry was written by another version of this package."""


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
    except _OtherLayoutError:
        with suppress(InputError):
            discard(entry)
        return None
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
    for name, array in _arrays(prepared):
        np.save(draft / f"{name}.npy", array, allow_pickle=False)
    for name, columns in _tables(prepared):
        table = pa.table({column: TextColumn(texts).array for column, texts in columns.items()})
        with pa.ipc.new_file(draft / f"{name}.arrow", table.schema) as writer:
            writer.write_table(table)
    manifest: dict[str, Any] = {
        "layout": _LAYOUT,
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
        "files": {file.name: _sum(file) for file in sorted(draft.iterdir())},
    }
    manifest["checksum"] = _manifest_sum(manifest)
    (draft / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _read(entry: Path, key: str) -> Prepared:
    manifest = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))
    if manifest.pop("checksum") != _manifest_sum(manifest) or manifest["key"] != key:
        raise _DamagedError("manifest.json fails its checksum")
    if manifest.get("layout") != _LAYOUT:
        raise _OtherLayoutError
    names = list(manifest["files"])
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for name, found in zip(names, workers.map(_sum, map(entry.joinpath, names)), strict=True):
            if found != manifest["files"][name]:
                raise _DamagedError(f"{name} fails its checksum")

    def array(name: str) -> NDArray:
        # Copied where it is written to, as any array may be; so the file stays as it is.
        mapped = np.load(entry / f"{name}.npy", mmap_mode="c", allow_pickle=False)
        return mapped.view(np.ndarray)

    def table(name: str) -> dict[str, TextColumn]:
        with pa.memory_map(str(entry / f"{name}.arrow")) as file:
            read = pa.ipc.open_file(file).read_all()
        return {column: TextColumn(read.column(column)) for column in read.column_names}

    items, fields_of_items = table("items"), table("fields")
    return Prepared(
        log=EventLog(**{name: array(f"log.{name}") for name in _COLUMNS}),
        users=table("users")["ids"],
        items=Items(**items, fields=fields_of_items),
        queries=Queries(**table("queries")),
        train=array("train"),
        requests={
            (cast(Part, part), Task(task)): _requests(array, f"{part}.{task}", protocols)
            for part, task, protocols in manifest["requests"]
        },
        queries_digest=manifest["queries_digest"],
        content_digest=manifest["content_digest"],
        candidates_digest=manifest["candidates_digest"],
        notes=tuple(manifest["notes"]),
        # Entries written before there was a choice were made by this one.
        analyser=manifest.get("analyser", "bigrams"),
    )


def _arrays(prepared: Prepared) -> Iterator[tuple[str, NDArray]]:
    for name in _COLUMNS:
        yield f"log.{name}", getattr(prepared.log, name)
    yield "train", prepared.train
    for (part, task), asked in prepared.requests.items():
        for name in _ROWS:
            yield f"{part}.{task}.{name}", getattr(asked, name)
        for name in _RELEVANT:
            yield f"{part}.{task}.relevant.{name}", getattr(asked.relevant, name)
        for protocol, lists in asked.lists.items():
            yield f"{part}.{task}.{protocol}.offsets", lists.offsets
            yield f"{part}.{task}.{protocol}.items", lists.items


def _requests(
    array: Callable[[str], NDArray], which: str, protocols: list[Protocol]
) -> PreparedRequests:
    return PreparedRequests(
        **{name: array(f"{which}.{name}") for name in _ROWS},
        relevant=Relevant(*(array(f"{which}.relevant.{name}") for name in _RELEVANT)),
        lists={
            protocol: CandidateLists(
                array(f"{which}.{protocol}.offsets"), array(f"{which}.{protocol}.items")
            )
            for protocol in protocols
        },
    )


def _tables(prepared: Prepared) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    items, queries = prepared.items, prepared.queries
    yield "users", {"ids": prepared.users}
    yield "items", {name: getattr(items, name) for name in ("ids", "titles", "texts")}
    yield "fields", items.fields
    yield "queries", {name: getattr(queries, name) for name in ("ids", "texts", "kinds")}


def _manifest_sum(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _sum(path: Path) -> str:
    """Return a checksum (XXH3, 128 bits) of a file: of accidents, which need no SHA-256."""
    found, block = xxhash.xxh3_128(), memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            found.update(block[:size])
    return found.hexdigest()
