"""Dataset cards: what a data set is, where its files lie, and every choice made about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    ValidationError,
    create_model,
    model_validator,
)

from benchmark.data.card_faults import faults
from benchmark.data.card_fields import Seed, Strict
from benchmark.data.days import is_zone
from benchmark.data.downloads import Download, fault_of_fetch
from benchmark.data.evaluation_set import PROTOCOLS, Protocol
from benchmark.data.packages import is_package_name
from benchmark.data.query_protocols import QueryProtocol
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Rules
from benchmark.data.terms import Leakage, TaskName
from benchmark.data.yaml_text import read_mapping
from benchmark.errors import InputError, did_you_mean
from benchmark.names import is_name, leads_out
from benchmark.plain_text import plain

__all__ = [
    "Analyser",
    "Card",
    "Copies",
    "Location",
    "SourceFile",
    "Split",
    "Statistics",
    "read_card",
]

Analyser = Literal["english", "bigrams", "tokens"]
"""What word search takes for words: see :mod:`benchmark.data.analyser`."""


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError("is no name; use letters and digits, and . _ + : - behind the first")
    return text


def _file(text: str) -> str:
    if leads_out(text) or text in ("", "."):
        raise ValueError("must be a file below the data folder, named by its path from there")
    return text


def _zone(text: str) -> str:
    if not is_zone(text):
        raise ValueError("is no time zone; write it as Asia/Shanghai or UTC")
    return text


def _package(text: str) -> str:
    if not is_package_name(text):
        raise ValueError("is no name of a package")
    return text


class SourceFile(Strict):
    """A file that the data set consists of, with the SHA-256 of the version described."""

    name: Annotated[str, AfterValidator(_file)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Location(Strict):
    """Where the files lie, if not in the card's own folder or in that of its name.

    Attributes:
        package: an installed package that has them.
        path: from there, or from the card's own folder, down to them; it leads no higher.
        folder: of the user's data folder, where it has not the card's name.
    """

    package: Annotated[str, AfterValidator(_package)] | None = None
    path: str = "."
    folder: Annotated[str, AfterValidator(_named)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Location:
        if self.package and self.folder:
            raise ValueError("names a package and a folder; drop one")
        return self


class Split(Strict):
    """How events become training, validation and test.

    Attributes:
        name: ``leave-one-out``, ``temporal``, ``days``, or ``official``: as the source or its rules
            say.
        leakage: ``safe`` removes twins and target pairs, ``paper`` does as published code.
        both_before: ask only for what a user did after an event of each kind, as published
            preprocessing of joint data does; not with ``official``.
        limit: under ``temporal`` and ``days``, the most requests drawn for each part and task.
        seed: for that draw.
        zone: under ``days``, the time zone whose midnight begins a day, ``Asia/Shanghai``.
    """

    name: Literal["leave-one-out", "temporal", "days", "official"] = "leave-one-out"
    leakage: Leakage = "safe"
    both_before: bool = False
    limit: Annotated[int, Field(gt=0)] | None = None
    seed: Seed = 1
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @model_validator(mode="after")
    def _zone_of_days(self) -> Split:
        if self.name != "days" and self.zone != "UTC":
            raise ValueError(f"the {self.name} split knows no days; drop zone, or name it days")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> Split:
        if self.both_before and self.name == "official":
            raise ValueError("official asks what the source asks; drop both_before")
        return self


def _in_order(protocols: tuple[Protocol, ...] | None) -> tuple[Protocol, ...] | None:
    if protocols is None:
        return None
    if not protocols:
        raise ValueError(f"name one of {', '.join(PROTOCOLS)} at least")
    return tuple(protocol for protocol in PROTOCOLS if protocol in protocols)


class Candidates(Strict):
    """What requests choose from.

    Attributes:
        protocols: which of ``full``, ``sampled`` and ``given`` there are; all that the data have
            if not named. Over millions of items ``given`` alone spares the word search that
            ``sampled`` needs, and rankings of everything.
        negatives: drawn items beside the target in a ``sampled`` list.
        seed: of the draw.
    """

    protocols: Annotated[tuple[Protocol, ...] | None, AfterValidator(_in_order)] = None
    negatives: Annotated[int, Field(ge=1, le=10**6)] = 99
    seed: Seed = 1


class Copies(Strict):
    """Which events are copies of another one and are dropped.

    Attributes:
        within: the most time, in the source's unit, between an event and its copy: the same user,
            item, kind and query again. Where times say no more than an order, it counts as 0.
        keep: drop none.
    """

    within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    keep: bool = False


class Statistics(Strict):
    """Counts of the prepared data set, compared with the data where they are loaded.

    Either all of them, as counted here and compared by a test, or those that others publish, with
    ``published`` to name who says so.

    Attributes:
        published: where the counts are from, if nobody counted them here.
    """

    published: Annotated[str, Field(min_length=1)] | None = None
    users: int | None = None
    items: int | None = None
    events: int | None = None
    searches: int | None = None
    queries: int | None = None
    mean_query_words: float | None = None
    training: dict[TaskName, int] | None = None
    validation: dict[TaskName, int] | None = None
    test: dict[TaskName, int] | None = None

    @model_validator(mode="after")
    def _whole_or_published(self) -> Statistics:
        optional = ("published", "mean_query_words")
        missing = [n for n, v in self if v is None and n not in optional]
        if self.published is None and missing:
            raise ValueError(f"{', '.join(missing)} missing; or name who published the others")
        return self

    def counts(self) -> dict[str, Any]:
        """Return what is stated, by name."""
        return self.model_dump(exclude={"published"}, exclude_none=True)


class Frozen(Strict):
    """Digests that must come out again when the data set is prepared elsewhere."""

    queries: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Card(Strict):
    """A data set's card.

    Attributes:
        format: of the files, a name of :data:`benchmark.data.sources.formats.FORMATS`.
        files: by what they hold, as the format's reader names them; a table that lies in several
            has its further ones as ``NAME-2``, ``NAME-3`` and so on.
        rules: of the format's reader, which documents them.
        title: template over item columns for what a person calls an item, ``"{movie_title}"``;
            ``None`` leaves the item's id.
        text: further item columns that a model may read, after the title.
        analyser: what word search and simulated queries take for words: ``english``, ``bigrams``
            or ``tokens``; ``None`` chooses by the script of the texts, and says so.
        grade: a column of the ``.inter`` file that grades events: 0 was shown and not taken, and
            is a candidate of the request that it was shown in; more is the grade of the event.
        exclude_seen: the tasks of which the full protocol leaves out the items of the history,
            unless a run keeps them; both where no pair of user and item comes back by design.
        strict: refuse files in which anything has to be left out or mended, instead of telling it:
            copies of events too, and times that are missing, negative or of which only the order
            can be kept.
    """

    name: Annotated[str, AfterValidator(_named)]
    description: str
    source: str
    licence: str
    citation: str
    location: Location | None = None
    fetch: tuple[Download, ...] = ()
    obtain: str | None = None
    format: str = "atomic"
    files: dict[str, SourceFile]
    rules: SerializeAsAny[Rules] = Rules()
    split: Split = Split()
    title: str | None = None
    text: tuple[str, ...] = ()
    analyser: Analyser | None = None
    grade: str | None = None
    exclude_seen: tuple[Literal["rec", "search"], ...] = ("rec",)
    strict: bool = False
    copies: Copies = Copies()
    queries: QueryProtocol | None = None
    candidates: Candidates = Candidates()
    statistics: Statistics | None = None
    digests: Frozen = Frozen()

    @model_validator(mode="after")
    def _agrees(self) -> Card:
        self._check_files()
        self._check_fetch()
        if self.grade is not None and self.format != "atomic":
            raise ValueError(f"format '{self.format}' grades events by its rules; drop grade")
        if self.grade is not None and self.queries is not None:
            raise ValueError("queries cannot be simulated for graded events; drop grade or queries")
        return self

    def _check_files(self) -> None:
        reader = reader_of(self.format)
        if reader.archive is not None and reader.archive in self.files:
            if len(self.files) > 1:
                raise ValueError(f"files: '{reader.archive}' holds the others; name it alone")
            return
        either = f", or '{reader.archive}', which holds all" if reader.archive else ""
        for kind in reader.needed:
            if kind not in self.files:
                raise ValueError(f"files must name '{kind}'{either}")
        known = (*reader.needed, *reader.optional, *filter(None, [reader.archive]))
        for kind in self.files:
            if not reader.takes(kind, self.files):
                raise ValueError(f"files: unknown '{plain(kind, 40)}'{did_you_mean(kind, known)}")

    def _check_fetch(self) -> None:
        if self.fetch and self.location is not None and self.location.package:
            raise ValueError("the files lie in a package; drop fetch")
        if (fault := fault_of_fetch(self.fetch, self.files)) is not None:
            raise ValueError(f"fetch: {fault}")

    def title_columns(self) -> tuple[str, ...]:
        """Return the item columns that the title's template names."""
        return tuple(re.findall(r"\{([^{}]+)\}", self.title or ""))

    def item_columns(self) -> tuple[str, ...]:
        """Return the item columns that title, text and query protocol name, each once."""
        queries = self.queries.columns() if self.queries else ()
        return tuple(dict.fromkeys((*self.title_columns(), *self.text, *queries)))

    @classmethod
    def of_format(cls, name: str) -> type[Card]:
        """Return the cards of a format, which take the rules of its reader.

        Raises:
            InputError: there is no such format.
        """
        rules = reader_of(name).rules
        return create_model("Card", __base__=cls, rules=(rules, rules()))

    def deciding(self) -> dict[str, Any]:
        """Return, JSON-ready, the fields that decide what is prepared; defaults are left out."""
        names = ("name", "format", "rules", "split", "title", "text", "grade", "strict", "copies")
        chosen = {*names, "analyser", "exclude_seen", "queries", "candidates"}
        return self.model_dump(mode="json", include=chosen, exclude_defaults=True)


def read_card(path: Path) -> Card:
    """Read and validate ``card.yaml``.

    Raises:
        InputError: no such file, no YAML, an unknown or missing field, or a wrong value; all such
            fields at once.
    """
    place = f"{plain(path.parent.name, 80)}/{path.name}"
    values, lines = read_mapping(path, place)
    name = values.get("format", "atomic")
    try:
        card = Card.of_format(name) if isinstance(name, str) else Card
    except InputError as error:
        line = lines.get(("format",))
        raise InputError(f"{place}{f':{line}' if line else ''}: field 'format': {error}") from None
    try:
        return card.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{place}{faults(error, card, lines)}") from None
