"""The registry: finds models by name and imports a model's module only when it is asked for.

A package offers its models through an entry point of the group ``benchmark.models`` that leads to
a sequence of :class:`ModelEntry`, and of :class:`ModelFamily` for models that nobody could list.
Reading them must not import torch: an entry names its class.
Only installed packages count (:mod:`benchmark.data.packages`), so none of a foreign working folder.
Packages of others may do anything when they are read. One at fault is told of in one line and left
out as a whole, so that commands that do not need it work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint
from inspect import isabstract
from typing import TYPE_CHECKING, Literal, get_args

from benchmark.data.packages import installed
from benchmark.data.terms import Task
from benchmark.errors import BenchmarkError, InputError, did_you_mean
from benchmark.failures import blaming
from benchmark.names import as_name, check_name
from benchmark.plain_text import plain
from benchmark.remarks import remark

if TYPE_CHECKING:
    from benchmark.model import Model

__all__ = [
    "Group",
    "ModelEntry",
    "ModelFamily",
    "Offers",
    "available",
    "families",
    "find",
    "is_taken",
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
        settings: what the name itself says of the settings, ``(name, text)`` as ``--set`` takes
            them; nobody can set these otherwise.
    """

    name: str
    tasks: tuple[str, ...]
    group: Group
    summary: str
    source: str
    reference: str = ""
    obstacle: str = ""
    uses: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()

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


@dataclass(frozen=True)
class ModelFamily:
    """Models without number: what one is made of stands in its name, behind a colon.

    Attributes:
        form: how a name is written, as in ``"shape:NAME"``; up to the colon it is the family's own.
        tasks: names of the tasks that they serve.
        group: as of an entry; of the listing alone.
        summary: one line.
        member: returns the entry of what stands behind the colon. It imports no model. What it
            calls the entry does not count, see :func:`find`.

            Raises:
                InputError: nothing can be made of that.
    """

    form: str
    tasks: tuple[str, ...]
    group: Group
    summary: str
    member: Callable[[str], ModelEntry]

    @property
    def name(self) -> str:
        """What all names of its models begin with, the colon included."""
        return "".join(self.form.partition(":")[:2])


def _checked(entry: object) -> ModelEntry | ModelFamily:
    """Return an entry or a family whose fields are what they have to be.

    Raises:
        BenchmarkError: they are not.
    """
    if isinstance(entry, ModelFamily):
        form = check_name(entry.form, "family of models")
        if not (0 < form.find(":") < len(form) - 1 and callable(entry.member)):
            raise BenchmarkError(f"family of models '{form}': its form is no 'name:PART'")
        return entry
    return _checked_entry(entry)


def _checked_entry(entry: object) -> ModelEntry:
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
        families: by what the names of their models begin with.
    """

    entries: Mapping[str, ModelEntry]
    faults: Mapping[str, str]
    lost: Mapping[str, str]
    families: Mapping[str, ModelFamily]


def merge(offered: Iterable[tuple[str, Iterable[object]]]) -> Offers:
    """Merge the entries of several packages, ``(package, entries)``.

    A package is left out as a whole if it cannot be read, if an entry is wrong, or if a name
    occurs in it twice or in a package before it. A family has all names that begin like its own.
    """
    found: dict[str, ModelEntry | ModelFamily] = {}
    owners: dict[str, str] = {}
    faults: dict[str, str] = {}
    lost: dict[str, str] = {}
    for owner, unread in offered:
        own: dict[str, ModelEntry | ModelFamily] = {}
        read: list[object] = []
        try:
            with blaming("it cannot be read"):
                read = list(unread)
            for entry in map(_checked, read):
                for taken in {entry.name, _family_of(entry.name)} & {*own, *found}:
                    other = owners.get(taken, owner)
                    raise BenchmarkError(
                        f"model '{entry.name}' is offered twice: by {other} and {owner}"
                    )
                own[entry.name] = entry
        except BenchmarkError as error:
            faults[owner] = str(error)
            lost.update({name: owner for name in _names(read) if name not in found})
        else:
            found.update(own)
            owners.update(dict.fromkeys(own, owner))
    entries = {n: e for n, e in sorted(found.items()) if isinstance(e, ModelEntry)}
    families = {n: e for n, e in sorted(found.items()) if isinstance(e, ModelFamily)}
    return Offers(entries, faults, lost, families)


def _family_of(name: str) -> str:
    """Return what the names of a family begin with that would have this one among them."""
    family, colon, _ = name.partition(":")
    return family + colon


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


def families() -> dict[str, ModelFamily]:
    """Return the families of models by what the names of their models begin with."""
    return dict(offers().families)


def is_taken(name: str) -> bool:
    """Return whether a model that runs here has this name, or may be asked for by it."""
    return name in available() or _family_of(name) in offers().families


def listings() -> frozenset[str]:
    """Return the modules that list models: importing one runs no model's code."""
    return frozenset(point.module for point in _points())


def find(name: str) -> ModelEntry:
    """Return the entry of ``name``.

    The name of a family's model may be any text behind the colon, such as a path; its entry has
    the name that :func:`benchmark.names.as_name` makes of the whole, which leads to it as well.

    Raises:
        InputError: there is none, and the message suggests the nearest name; or it cannot run, or
            its package was left out.
    """
    entries = available()
    if name in entries:
        return entries[name]
    read = offers()
    if (family := read.families.get(_family_of(name))) is not None:
        return _member(family, name)
    if name in read.lost:
        owner = read.lost[name]
        raise InputError(f"model '{name}': {owner} is left out: {read.faults[owner]}")
    if name in read.entries:
        raise InputError(f"model '{name}': it cannot run here: {read.entries[name].obstacle}")
    faults = "".join(f"; left out is {owner}: {why}" for owner, why in read.faults.items())
    forms = [each.form for each in read.families.values()]
    known = did_you_mean(name, [*entries, *forms]) or "; see `python -m benchmark list models`"
    raise InputError(f"unknown model '{name}'{faults}{known}")


def _member(family: ModelFamily, name: str) -> ModelEntry:
    """Return the entry of a family's model.

    Raises:
        InputError: nothing stands behind the colon, or the family can make nothing of it.
    """
    part = name.removeprefix(family.name).strip()
    if not part:
        raise InputError(f"model '{name}': write it as {family.form}")
    with blaming(f"model '{plain(name, 200)}' cannot be found"):
        entry = family.member(part)
        return _checked_entry(replace(entry, name=as_name(name)))
