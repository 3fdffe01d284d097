"""Preparation: from a card and its files to the log, the split and the frozen candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.analyser import analyser_for
from benchmark.data.candidates import WordSearch, recommendation_candidates, search_candidates
from benchmark.data.card import Analyser, Card
from benchmark.data.catalogue import Items, Queries
from benchmark.data.catalogue_texts import catalogue_of
from benchmark.data.copies import without_copies
from benchmark.data.evaluation_set import (
    PROTOCOLS,
    CandidateLists,
    EvaluationSet,
    Part,
    Protocol,
    Relevant,
)
from benchmark.data.events import NO_QUERY, EventLog, EventSource, by_user_and_time
from benchmark.data.grouping import Groups, Shown, group_events
from benchmark.data.locate import source_files
from benchmark.data.oddities import odd_events, odd_texts
from benchmark.data.prepared import (
    Prepared,
    PreparedRequests,
    digest_candidates,
    digest_content,
)
from benchmark.data.repeats import in_history
from benchmark.data.requests import Task
from benchmark.data.short_lists import drawn_lists, given_lists
from benchmark.data.simulate_queries import queries_digest, simulate
from benchmark.data.sources.checksum import Scan, scan
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.order import events_in_order, texts_in_order
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.data.split import Parts, split
from benchmark.data.text_column import TextColumn
from benchmark.data.unmatched import unmatched
from benchmark.errors import InputError, did_you_mean

__all__ = ["prepare", "prepare_source"]


def prepare(card: Card, folder: Path, look: Callable[[Path], Scan] = scan) -> Prepared:
    """Read, simulate, split and draw candidates.

    Args:
        card: the data set's card.
        folder: where its files lie.
        look: looks at the bytes of a file, or knows already what they are.

    Raises:
        InputError: malformed files.
    """
    cleaning = Cleaning(card.strict)
    wanted = Wanted(card.item_columns(), card.grade, cleaning, look)
    source = reader_of(card.format).read(source_files(card, folder), card.rules, wanted)
    return prepare_source(card, source, cleaning)


def prepare_source(card: Card, source: Source, cleaning: Cleaning) -> Prepared:
    """Simulate, split and draw candidates for what was read.

    Args:
        card: the data set's card.
        source: what its files hold.
        cleaning: was told what is cleaned.

    Raises:
        InputError: the card asks for what the source does not have.
    """
    source = _with_named_columns(card, source)
    inter = without_copies(events_in_order(source.inter), card.copies, cleaning)
    texts = texts_in_order(source.items)
    # Nothing holds the texts in the order of the files any more; of millions they are gigabytes.
    source = replace(source, items=texts)
    item = _rows(inter.item, inter.items, texts)
    items = catalogue_of(card, texts)
    given = () if source.queries is None else source.queries.columns["query"]
    analyser, chosen = analyser_for(card.analyser, items.texts, TextColumn(given))
    query, queries, simulated = _searches(card, inter, item, texts, source.queries, analyser)
    if card.split.leakage != "paper":
        inter = replace(inter, place=None)
    events = _Events.of(inter, item, query, twins=card.queries is not None and card.queries.twins)
    log = events.log
    groups = {task: group_events(log, task, events.shown) for task in Task}
    if events.line is not None:
        groups[Task.REC] = groups[Task.REC].dealt(log, events.line)
    parts = split(log, len(items), card.split, groups, events.part)
    requests, told = _requests(card, events, items, queries, groups, parts, analyser)
    notes = [*cleaning.notes, *source.notes, *chosen, *parts.notes, *_lost_exposures(groups)]
    notes += odd_events(log, TextColumn(inter.users), items.ids, card.split.name)
    if not any(task is Task.SEARCH for _, task in requests):  # else searches tell of such items
        notes += odd_texts(items.texts, (*card.title_columns(), *card.text))
    if inter.steps > 1:
        notes.append(f"timestamps are fractional: kept in 1/{inter.steps} of the source's unit")
    return Prepared(
        log=log,
        users=TextColumn(inter.users),
        items=items,
        queries=queries,
        train=parts.train,
        requests=requests,
        queries_digest=simulated,
        content_digest=digest_content(log, items, queries, parts.train, requests),
        candidates_digest=digest_candidates(requests),
        notes=(*notes, *told),
        analyser=analyser,
    )


def _with_named_columns(card: Card, source: Source) -> Source:
    """Return the source, of items with no other columns than the card names."""
    columns = source.items.columns
    for name in (*card.title_columns(), *card.text):
        if name not in columns:
            fields = f"items have no field '{name}'{did_you_mean(name, columns)}"
            raise InputError(f"card '{card.name}': {fields}")
    kept = {name: columns[name] for name in card.item_columns() if name in columns}
    return replace(source, items=Texts(source.items.ids, kept))


def _lost_exposures(groups: Mapping[Task, Groups]) -> Iterator[str]:
    for task, each in groups.items():
        lost = int((each.shown < 0).sum())
        if lost:
            yield (
                f"{task}: {lost} of {len(each.shown)} items that were shown and not taken belong to"
                " no request (no event of their user, time or session, and query)"
            )


def _rows(codes: NDArray[np.int32], ids: pa.Array, texts: Texts) -> NDArray[np.int32]:
    """Return the rows of ``texts`` that codes of ``ids`` stand for; -1 stays."""
    if texts.ids.cast(ids.type).equals(ids):
        return codes
    row_of = pc.index_in(ids, value_set=texts.ids.cast(ids.type))
    return np.append(row_of.to_numpy().astype(np.int32), np.int32(NO_QUERY))[codes]


def _searches(
    card: Card,
    inter: Interactions,
    item: NDArray[np.int32],
    texts: Texts,
    given: Texts | None,
    analyser: Analyser,
) -> tuple[NDArray[np.int32], Queries, str]:
    """Return the events' queries, their table, and the digest of simulated ones.

    Args:
        card: asks for simulated queries, or not.
        inter: the events.
        item: of each event, ``[events]``.
        texts: of the items.
        given: the queries that the files hold.
        analyser: tells the words of simulated queries.
    """
    if card.queries is not None:
        if given is not None and len(given):
            raise InputError(f"card '{card.name}': the files hold queries; drop the query protocol")
        if inter.grade is not None:
            text = "queries cannot be simulated for graded events; drop the grades or the queries"
            raise InputError(f"card '{card.name}': {text}")
        columns = {"item_id": TextColumn(texts.ids)}
        columns |= {name: TextColumn(values) for name, values in texts.columns.items()}
        simulated = simulate(card.queries, item, columns, analyser)
        digest = queries_digest(inter.user, item, simulated.query, simulated.queries)
        return simulated.query, simulated.queries, digest
    if given is None:
        return inter.query, Queries((), (), ()), ""
    given = texts_in_order(given)
    kinds = TextColumn.repeated("given", len(given))
    queries = Queries(TextColumn(given.ids), TextColumn(given.columns["query"]), kinds)
    return _rows(inter.query, inter.queries, given), queries, ""


@dataclass(frozen=True)
class _Events:
    """What a source holds beside its tables.

    Attributes:
        log: the events.
        gain: float32 ``[events]``, the grade of each, above 0.
        shown: what was shown and not taken, where the source tells.
        part: uint8 ``[events]``, as the source splits them, where it does.
        line: int64 ``[events]``, the row of the files that each comes from, where published
            preprocessing orders a moment's events otherwise.
    """

    log: EventLog
    gain: NDArray[np.float32]
    shown: Shown | None
    part: NDArray[np.uint8] | None
    line: NDArray[np.int64] | None

    @classmethod
    def of(
        cls, inter: Interactions, item: NDArray[np.int32], query: NDArray[np.int32], twins: bool
    ) -> _Events:
        """Make the log; with ``twins``, searches are copies behind all events of their moment."""
        grade = np.ones(len(item), dtype=np.float32) if inter.grade is None else inter.grade
        shown = _shown(inter, item, query, grade)
        rows = np.flatnonzero(grade > 0)
        if not len(rows):
            path, _ = inter.where(0)
            raise complain(path, None, "every grade is 0; an event needs one above 0")
        if inter.place is not None:
            rows = rows[np.argsort(inter.place[rows], kind="stable")]
        kind = np.where(query >= 0, EventSource.SEARCHED, EventSource.RECOMMENDED).astype(np.uint8)
        if twins:
            copies = rows[query[rows] >= 0]
            kind = np.concatenate([np.full(len(rows), EventSource.RECOMMENDED), kind[copies]])
            query = np.concatenate([np.full(len(rows), NO_QUERY), query[copies]])
            rows = np.concatenate([rows, copies])
        else:
            kind, query = kind[rows], query[rows]
        users = len(inter.users)
        log = EventLog.from_columns(
            inter.user[rows], item[rows], inter.time[rows], kind, query, inter.session[rows], users
        )
        order = by_user_and_time(inter.user[rows], inter.time[rows], users)
        line = None if inter.place is None else inter.row[rows][order]
        part = None if inter.part is None else inter.part[rows][order]
        return cls(log, grade[rows][order], shown, part, line)


def _shown(
    inter: Interactions,
    item: NDArray[np.int32],
    query: NDArray[np.int32],
    grade: NDArray[np.float32],
) -> Shown | None:
    rows = np.flatnonzero(grade == 0)
    if not len(rows):
        return None
    kind = np.where(query >= 0, EventSource.SEARCHED, EventSource.RECOMMENDED).astype(np.uint8)
    return Shown(
        inter.user[rows], item[rows], inter.time[rows], kind[rows], query[rows], inter.session[rows]
    )


def _requests(
    card: Card,
    events: _Events,
    items: Items,
    queries: Queries,
    groups: Mapping[Task, Groups],
    parts: Parts,
    analyser: Analyser,
) -> tuple[dict[tuple[Part, Task], PreparedRequests], list[str]]:
    """Return the requests with what is relevant and their lists, and what there is to tell."""
    log, shown = events.log, events.shown
    wanted = card.candidates.protocols or PROTOCOLS
    searched = any(task is Task.SEARCH for _, task in parts.requests)
    # Whoever looks at given lists only does not read the catalogue.
    words = WordSearch(items.texts if searched and set(wanted) - {"given"} else (), analyser)
    requests: dict[tuple[Part, Task], PreparedRequests] = {}
    searches: dict[str, NDArray[np.int32]] = {}
    notes: list[str] = []
    for (part, task), asked in parts.requests.items():
        which = f"{part} {task}"
        relevant = Relevant.of_events(
            asked.owner, log.item[asked.events], events.gain[asked.events]
        )
        lists: dict[Protocol, CandidateLists] = {}
        if "sampled" in wanted:
            drawn = _sampled(
                card, log, words, queries, (part, task), asked.first, relevant, len(items)
            )
            negatives = card.candidates.negatives
            lists["sampled"], told = drawn_lists(drawn, relevant, negatives, which)
            notes += told
        if "given" in wanted and shown is not None and (groups[task].shown >= 0).any():
            given = _given(groups[task], shown, asked.groups, relevant)
            lists["given"], told = given_lists(given, relevant, which)
            notes += told
        if not lists and "full" not in wanted:
            notes.append(
                f"{which}: none of {len(asked.first)} requests is asked, as the data bring no lists"
                " for them and the card names no other protocol"
            )
            continue
        none = np.zeros(len(relevant), dtype=np.bool_)
        made = PreparedRequests(asked.first, asked.stop, asked.omit, relevant, none, lists)
        whole = EvaluationSet(made.asking(log, task, queries, len(items)), relevant, {})
        requests[part, task] = replace(made, repeats=in_history(whole))
        if task is Task.SEARCH:
            searches[which] = log.query[asked.first]
    if not requests and parts.requests:
        raise InputError(
            f"card '{card.name}': candidates.protocols names given only, and the data bring no"
            " lists of candidates; name full or sampled there"
        )
    if set(wanted) != {"given"}:
        notes += unmatched(words.terms, queries.texts, searches, analyser)
    return requests, notes


def _given(
    groups: Groups, shown: Shown, asked: NDArray[np.int64], relevant: Relevant
) -> CandidateLists:
    """Return what was shown in each request: what was taken, and what was not."""
    place = np.full(len(groups.offsets), -1, dtype=np.int64)
    place[asked] = np.arange(len(asked))
    owner = np.where(groups.shown >= 0, place[groups.shown], -1)
    mine = owner >= 0
    return CandidateLists.of_pairs(
        np.concatenate([owner[mine], relevant.request]),
        np.concatenate([shown.item[groups.exposures[mine]], relevant.item]),
        len(asked),
    )


def _sampled(
    card: Card,
    log: EventLog,
    words: WordSearch,
    queries: Queries,
    which: tuple[Part, Task],
    rows: NDArray[np.int64],
    relevant: Relevant,
    items: int,
) -> CandidateLists:
    part, task = which
    wanted = card.candidates.negatives
    seed = (card.candidates.seed, 0 if part == "validation" else 1, 0 if task is Task.REC else 1)
    user, query = log.user[rows], log.query[rows]
    if task is Task.REC:
        return recommendation_candidates(log, user, relevant, items, wanted, seed)
    distinct = np.unique(query).tolist()
    searches = np.bincount(log.query[log.query >= 0], minlength=len(queries))
    texts = {q: queries.texts[q] for q in distinct}
    best = words.best(texts, {q: wanted + int(searches[q]) for q in distinct})
    return search_candidates(log, user, query, relevant, items, wanted, seed, best)
