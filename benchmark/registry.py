"""The registry: finds models by name and imports a model's module only when it is asked for.

A package offers its models through an entry point of the group ``benchmark.models`` that leads to
a sequence of :class:`ModelEntry`. Reading them must not import torch: an entry names its class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Literal

from benchmark.errors import BenchmarkError, InputError, did_you_mean

if TYPE_CHECKING:
    from benchmark.model import Model

__all__ = ["Group", "ModelEntry", "available", "find", "known", "listings", "merge"]

GROUP = "benchmark.models"
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
            BenchmarkError: the module or the class is not there.
        """
        # Imported here, because NumPy would be half of the time that a listing takes.
        from benchmark.model import Model

        module, _, attribute = self.source.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise BenchmarkError(f"model '{self.name}' cannot be loaded: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Model)):
            raise BenchmarkError(f"model '{self.name}': {self.source} is no benchmark.model.Model")
        return found


def merge(offers: Iterable[tuple[str, Iterable[ModelEntry]]]) -> dict[str, ModelEntry]:
    """Merge the entries of several packages, ``(package, entries)``, in the order of their names.

    Raises:
        BenchmarkError: two packages offer the same name.
    """
    entries: dict[str, ModelEntry] = {}
    owners: dict[str, str] = {}
    for owner, offered in offers:
        for entry in offered:
            if entry.name in entries:
                raise BenchmarkError(
                    f"model '{entry.name}' is offered twice: by {owners[entry.name]} and {owner}"
                )
            entries[entry.name] = entry
            owners[entry.name] = owner
    return dict(sorted(entries.items()))


@lru_cache(maxsize=1)
def available() -> dict[str, ModelEntry]:
    """Return all models that run here, by name.

    Raises:
        BenchmarkError: a package's models cannot be listed, or two packages offer the same name.
    """
    return {name: entry for name, entry in known().items() if not entry.obstacle}


def known() -> dict[str, ModelEntry]:
    """Return all models by name, those that cannot run here too."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return merge((point.value, _offered(point)) for point in found)


def listings() -> frozenset[str]:
    """Return the modules that list models: importing one runs no model's code."""
    return frozenset(point.module for point in entry_points(group=GROUP))


def _offered(point: EntryPoint) -> list[ModelEntry]:
    try:
        entries = list(point.load())
    except Exception as error:  # whatever another package raises when imported
        reason = f"{type(error).__name__}: {error}"
        raise BenchmarkError(f"the models of {point.value} cannot be listed: {reason}") from error
    if not all(isinstance(entry, ModelEntry) for entry in entries):
        raise BenchmarkError(f"{point.value} does not hold benchmark.registry.ModelEntry objects")
    return entries


def find(name: str) -> ModelEntry:
    """Return the entry of ``name``.

    Raises:
        InputError: there is none, and the message suggests the nearest name; or it cannot run.
    """
    entries = available()
    if name not in entries:
        barred = known()
        if name in barred:
            raise InputError(f"model '{name}': it cannot run here: {barred[name].obstacle}")
        raise InputError(f"unknown model '{name}'{did_you_mean(name, entries)}")
    return entries[name]
