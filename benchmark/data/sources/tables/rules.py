"""The rules of format ``table``: which column is what, which events count, how times are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from benchmark.data.sources.reader import Rules
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = [
    "AtLeast",
    "EventColumns",
    "EventType",
    "FileKind",
    "Reading",
    "TableRules",
    "TimeFormat",
]

FileKind = Literal["csv", "tsv", "parquet", "jsonl"]
TimeFormat = Literal[
    "auto", "iso", "seconds", "milliseconds", "microseconds", "nanoseconds", "order"
]
Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EventColumns(_Part):
    """The columns of the events; what is ``None`` is not there.

    Attributes:
        user: who.
        item: what.
        time: when; without it the order of the rows stands for the time.
        query: the words searched with, or with a file of queries a query's id. An event that has
            one is a search.
        session: a visit.
        type: the kind of event, of which ``events`` says what it counts.
        grade: a number that grades the event: 0 is shown and not taken, more is the grade.
        rating: a number that ``at_least.rating`` is held against.
    """

    user: Name = "user_id"
    item: Name = "item_id"
    time: Name | None = "timestamp"
    query: Name | None = None
    session: Name | None = None
    type: Name | None = None
    grade: Name | None = None
    rating: Name | None = None

    def named(self) -> dict[str, str]:
        """Return the columns by what they are."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class ItemColumns(_Part):
    """The column of the items' ids; the card's title and text name the others."""

    id: Name = "item_id"


class QueryColumns(_Part):
    """The columns of the file of queries."""

    id: Name = "query_id"
    text: Name = "query"


class EventType(_Part):
    """What an event of one type counts.

    Attributes:
        grade: 0 is shown and not taken, and a candidate of its request; more is the grade.
        search: whether it is a search; ``None``: where it has a query. Of a type that is one,
            events without a query are left out; of a type that is none, the query is not read.
    """

    grade: Annotated[float, Field(ge=0)] = 1.0
    search: bool | None = None


class AtLeast(_Part):
    """The least of what stays.

    Attributes:
        rating: of an event.
        user: events of a user; ``item``: of an item. Both hold at once, as what is left out takes
            from the other (a k-core). Events of grade 0 do not count; copies do. 1 asks nothing.
    """

    rating: float | None = None
    user: Count = 1
    item: Count = 1


class Reading(_Part):
    """How a file is read where its bytes do not tell.

    Attributes:
        kind: of the file.
        separator: of the fields of a CSV file, one character.
    """

    kind: FileKind | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None


class TableRules(Rules):
    """The rules of format ``table``.

    Attributes:
        columns: of the events.
        item_columns: of the file of items.
        query_columns: of the file of queries.
        time: how times are written; ``auto`` recognises it and says so. ``order`` takes numbers for
            positions and no clock.
        events: by event type, its grade (a number), or an :class:`EventType`; types that are not
            named are left out. Without it all events count alike.
        at_least: what events, users and items need to stay.
        session_gap: seconds without an event after which a user's next session begins; where no
            column tells sessions.
        missing: values that stand for none, beside the empty one.
        files: how a file is read, by what it holds: ``events``, ``items`` or ``queries``.
    """

    columns: EventColumns = EventColumns()
    item_columns: ItemColumns = ItemColumns()
    query_columns: QueryColumns = QueryColumns()
    time: TimeFormat = "auto"
    events: dict[str, EventType] = Field(default_factory=dict)
    at_least: AtLeast = AtLeast()
    session_gap: Annotated[float, Field(gt=0)] | None = None
    missing: tuple[str, ...] = ()
    files: dict[str, Reading] = Field(default_factory=dict)

    @field_validator("events", mode="before")
    @classmethod
    def _grades(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        number = (int, float)
        return {
            name: {"grade": each}
            if isinstance(each, number) and not isinstance(each, bool)
            else each
            for name, each in value.items()
        }

    @model_validator(mode="after")
    def _agree(self) -> TableRules:
        columns, what = self.columns, ("events", "items", "queries")
        for name in self.files:
            if name not in what:
                raise ValueError(f"files: unknown '{plain(name, 40)}'{did_you_mean(name, what)}")
        names = list(columns.named().values())
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"columns: '{plain(name, 40)}' is named twice")
        if (columns.type is None) != (not self.events):
            raise ValueError("columns.type names the types that events grades; give both or none")
        if columns.grade is not None and any(each.grade != 1 for each in self.events.values()):
            raise ValueError("grades come from columns.grade or from events; leave one of them out")
        if (columns.rating is None) != (self.at_least.rating is None):
            raise ValueError("columns.rating is held against at_least.rating; give both or none")
        if columns.session is not None and self.session_gap is not None:
            raise ValueError("columns.session tells the sessions; drop session_gap")
        if self.session_gap is not None and (columns.time is None or self.time == "order"):
            raise ValueError("session_gap needs times of a clock")
        if self.events and not any(each.grade > 0 for each in self.events.values()):
            raise ValueError("events: every grade is 0; a type needs one above 0")
        return self
