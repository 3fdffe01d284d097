"""The registry: finds models by name and imports a model's module only when it is asked for.

A package offers its models through an entry point of the group ``benchmark.models`` that leads to
a sequence of :class:`ModelEntry`. Reading them must not import torch: an entry names its class.
Only installed packages count (:mod:`benchmark.data.packages`), so none of a foreign working folder.
Packages of others may do anything when they are read. One at fault is told of in one line and left
out as a whole, so that commands that do not need it work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint
from inspect import isabstract
from typing import TYPE_CHECKING, Literal, get_args

from benchmark.data.packages import installed
from benchmark.data.terms import Task
from benchmark.errors import BenchmarkError, InputError, did_you_mean
from benchmark.failures import blaming
from benchmark.names import check_name
from benchmark.remarks import remark

if TYPE_CHECKING:
    from benchmark.model import Model

__all__ = [
    "Group",
    "ModelEntry",
    "Offers",
    "available",
    "find",
    "known",
    "listings",
    "merge",
    "offers",
]

GROUP = "benchmark.models"
OURS = "search-rec-benchmark"
"""The distribution whose models nobody else's may stand in for."""
Group = Literal["diagnostic", "baseline", "joint", "external"]


@dataclass(frozen=True)
class ModelEntry:
    """What the registry knows of a model without importing it.

    Attributes:
        name: as given to ``--model``.
        tasks: names of the tasks that it serves, ``("rec", "search")``.
        group: ``diagnostic`` models are left out of leaderboards unless named.
        summary: one line.
        source: ``"package.module:Class"``.
        reference: the paper or library it comes from.
        obstacle: why it cannot run here, to follow "it cannot run here: "; such a model is never
            listed or loaded, and whoever asks for it is told.
        uses: models or modules that it loads by name when it runs, so that no import statement
            tells of them; their code decides the outcome of its runs too.
    """

    name: str
    tasks: tuple[str, ...]
    group: Group
    summary: str
    source: str
    reference: str = ""
    obstacle: str = ""
    uses: tuple[str, ...] = ()

    def load(self) -> type[Model]:
        """Import and return the model's class.

        Raises:
            BenchmarkError: it cannot be imported, or is no model that serves the entry's tasks.
        """
        # Imported here, because NumPy would be half of the time that a listing takes.
        from benchmark.model import Model

        module, _, attribute = self.source.partition(":")
        with blaming(f"model '{self.name}' cannot be loaded"):
            found = getattr(import_module(module), attribute)
        if not (isinstance(found, type) and issubclass(found, Model)):
            raise BenchmarkError(f"model '{self.name}': {self.source} is no benchmark.model.Model")
        if isabstract(found):
            lacking = ", ".join(sorted(found.__abstractmethods__))
            raise BenchmarkError(f"model '{self.name}': {self.source} lacks {lacking}")
        served = sorted(map(str, getattr(found, "tasks", None) or ()))
        if not set(self.tasks) <= set(served):
            raise BenchmarkError(
                f"model '{self.name}': it is offered for {', '.join(self.tasks)}, but"
                f" {self.source} serves {', '.join(served) or 'no task'}"
            )
        return found


def _checked(entry: object) -> ModelEntry:
    """Return an entry whose fields are what they have to be.

    Raises:
        BenchmarkError: they are not.
    """
    if not isinstance(entry, ModelEntry):
        raise BenchmarkError("it does not hold benchmark.registry.ModelEntry objects")
    name = check_name(entry.name, "model")
    texts = (entry.summary, entry.source, entry.reference, entry.obstacle)
    if not all(isinstance(text, str) for text in texts) or ":" not in entry.source:
        raise BenchmarkError(f"model '{name}': source is no 'package.module:Class', or no text is")
    if not (entry.tasks and isinstance(entry.tasks, tuple) and {*entry.tasks} <= {*Task}):
        raise BenchmarkError(f"model '{name}': tasks are a tuple of 'rec', 'search' or both")
    if entry.group not in get_args(Group):
        raise BenchmarkError(f"model '{name}': group is one of {', '.join(get_args(Group))}")
    return entry


@dataclass(frozen=True)
class Offers:
    """What the installed packages offer.

    Attributes:
        entries: all models by name, in the order of their names.
        faults: why a package is left out, by what its entry point leads to.
        lost: the names of models that were left out with it, where they are known.
    """

    entries: Mapping[str, ModelEntry]
    faults: Mapping[str, str]
    lost: Mapping[str, str]


def merge(offered: Iterable[tuple[str, Iterable[object]]]) -> Offers:
    """Merge the entries of several packages, ``(package, entries)``.

    A package is left out as a whole if it cannot be read, if an entry is wrong, or if a name
    occurs in it twice or in a package before it.
    """
    entries: dict[str, ModelEntry] = {}
    owners: dict[str, str] = {}
    faults: dict[str, str] = {}
    lost: dict[str, str] = {}
    for owner, unread in offered:
        own: dict[str, ModelEntry] = {}
        read: list[object] = []
        try:
            with blaming("it cannot be read"):
                read = list(unread)
            for entry in map(_checked, read):
                if entry.name in {**own, **entries}:
                    other = owners.get(entry.name, owner)
                    raise BenchmarkError(
                        f"model '{entry.name}' is offered twice: by {other} and {owner}"
                    )
                own[entry.name] = entry
        except BenchmarkError as error:
            faults[owner] = str(error)
            lost.update({name: owner for name in _names(read) if name not in entries})
        else:
            entries.update(own)
            owners.update(dict.fromkeys(own, owner))
    return Offers(dict(sorted(entries.items())), faults, lost)


def _names(offered: Iterable[object]) -> list[str]:
    entries = [entry for entry in offered if isinstance(entry, ModelEntry)]
    return [entry.name for entry in entries if isinstance(entry.name, str)]


@lru_cache(maxsize=1)
def offers() -> Offers:
    """Read once what the installed packages offer, ours first; tell of those left out."""
    ordered = sorted(_points(), key=lambda point: (not _is_ours(point), point.name))
    merged = merge((point.value, _entries(point)) for point in ordered)
    for owner, reason in merged.faults.items():
        remark(f"the models of {owner} are left out: {reason}")
    return merged


def _points() -> list[EntryPoint]:
    """Return the entry points of all installed packages, each once."""
    points = (p for each in installed() for p in each.entry_points.select(group=GROUP))
    return list(dict.fromkeys(points))


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == OURS


def _entries(point: EntryPoint) -> Iterator[object]:
    """Give what a package offers; it is imported when the first is asked for."""
    yield from point.load()


def available() -> dict[str, ModelEntry]:
    """Return all models that run here, by name."""
    return {name: entry for name, entry in known().items() if not entry.obstacle}


def known() -> dict[str, ModelEntry]:
    """Return all models by name, those that cannot run here too."""
    return dict(offers().entries)


def listings() -> frozenset[str]:
    """Return the modules that list models: importing one runs no model's code."""
    return frozenset(point.module for point in _points())


def find(name: str) -> ModelEntry:
    """Return the entry of ``name``.

    Raises:
        InputError: there is none, and the message suggests the nearest name; or it cannot run, or
            its package was left out.
    """
    entries = available()
    if name in entries:
        return entries[name]
    read = offers()
    if name in read.lost:
        owner = read.lost[name]
        raise InputError(f"model '{name}': {owner} is left out: {read.faults[owner]}")
    if name in read.entries:
        raise InputError(f"model '{name}': it cannot run here: {read.entries[name].obstacle}")
    faults = "".join(f"; left out is {owner}: {why}" for owner, why in read.faults.items())
    raise InputError(f"unknown model '{name}'{faults}{did_you_mean(name, entries)}")
