"""Format ``kuaisar``: the files of KuaiSAR, small and full, in a folder or in their zip archive.

KuaiSAR (Sun et al., CIKM 2023, "KuaiSAR: A Unified Search And Recommendation Dataset") logs every
item that a short-video app showed its users, in feeds and in search results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.sources.core import iterated_core
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.table_file import TableFile, members, table_file
from benchmark.data.sources.kuaisar_items import (
    check_social,
    check_users,
    ids_as_text,
    read_items,
)
from benchmark.data.sources.kuaisar_log import Exposures, read_recommended, read_searched
from benchmark.data.sources.kuaisar_rules import KuaisarRules
from benchmark.data.sources.reader import Reader, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["READER"]

_NAMES = {
    "rec": "rec_inter.csv",
    "search": "src_inter.csv",
    "items": "item_features.csv",
    "users": "user_features.csv",
    "social": "social_network.csv",
}


def _read(files: Mapping[str, Path], rules: KuaisarRules, wanted: Wanted) -> Source:
    """Read the files.

    Raises:
        InputError: malformed files, or nothing is left of them.
    """
    tables, cleaning = _tables(files), wanted.cleaning
    recommended = read_recommended(tables["rec"], rules, cleaning)
    searched = read_searched(tables["search"], rules, cleaning)
    searched, told = _searches(searched, rules)
    # Lines of searches are told from those of recommendations by what is added to them.
    behind, notes = int(recommended.line.max(initial=0)), [*searched.notes, *told]
    log = recommended.followed_by(searched)
    del recommended, searched
    log, told = _left(log, rules)
    notes += told
    if not (log.grade > 0).any():
        raise complain(tables["rec"].path, None, "the rules leave no event; loosen them")
    inter, items = _interactions(log, behind, tables)
    if "users" in tables:
        check_users(tables["users"], np.unique(log.user), cleaning)
    if "social" in tables:
        check_social(tables["social"], cleaning)
    del log
    catalogue = _catalogue(tables, inter, items, rules, wanted)
    queries = Texts(inter.queries, {"query": inter.queries}) if len(inter.queries) else None
    return Source(inter, catalogue, queries, tuple(notes))


def _tables(files: Mapping[str, Path]) -> dict[str, TableFile]:
    if "archive" not in files:
        return {kind: table_file(path) for kind, path in files.items()}
    path = files["archive"]
    found = members(path, _NAMES.values())
    for kind in READER.needed:
        if _NAMES[kind] not in found:
            raise complain(path, None, f"holds no {_NAMES[kind]}; is it the published archive?")
    return {kind: found[name] for kind, name in _NAMES.items() if name in found}


def _searches(log: Exposures, rules: KuaisarRules) -> tuple[Exposures, list[str]]:
    """Apply what the rules say about single searches: a search without a click, and too many."""
    notes: list[str] = []
    if rules.clickless == "earliest":
        search = _requests(log)
        bare = ~_has(search, log.grade > 0)
        first = np.unique(search, return_index=True)[1]
        first = first[bare[first]]
        log.grade[first] = rules.positive.get("click", 1.0)
        notes.append(
            f"searches: {len(first)} without a click count as a click on their first result"
        )
    if rules.most_clicks is not None and (beyond := _beyond(log, rules.most_clicks)).any():
        notes.append(
            f"searches: {beyond.sum()} clicks on items beyond the first {rules.most_clicks} of"
            " their search are left out"
        )
        log = log.only(~beyond)
    return log, notes


def _beyond(log: Exposures, most: int) -> NDArray[np.bool_]:
    """Return the clicks on items that are not among the first ``most`` clicked of their search."""
    search = _requests(log)
    clicks = np.flatnonzero(log.grade > 0)
    item, items = pd.factorize(log.item[clicks])
    pair = pd.factorize(search[clicks] * np.int64(len(items)) + item)[0]
    first = np.unique(pair, return_index=True)[1]
    order = first[np.lexsort((first, search[clicks[first]]))]
    owner = search[clicks[order]]
    place = np.arange(len(order)) - np.searchsorted(owner, owner)
    late = np.zeros(len(first), dtype=np.bool_)
    late[pair[order]] = place >= most
    beyond = np.zeros(len(log), dtype=np.bool_)
    beyond[clicks[late[pair]]] = True
    return beyond


def _left(log: Exposures, rules: KuaisarRules) -> tuple[Exposures, list[str]]:
    """Apply the rules that look at both services together: exposures, core and clickless."""
    notes: list[str] = []
    if rules.exposures == "drop":
        log = log.only(log.grade > 0)
    if rules.core.user > 1 or rules.core.item > 1:
        keep, note = _core(log, rules)
        log = log.only(keep)
        notes.append(note)
    if rules.exposures == "given" and rules.clickless != "keep":
        request = _requests(log)
        keep = _has(request, log.grade > 0)
        for what, mine in (("deliveries", log.query < 0), ("searches", log.query >= 0)):
            if lost := int((mine & ~keep).sum()):
                requests = len(np.unique(request[mine & ~keep]))
                notes.append(
                    f"{what}: {requests} without an event are left out, with {lost} of"
                    f" {mine.sum()} exposures"
                )
        log = log.only(keep)
    return log, notes


def _core(log: Exposures, rules: KuaisarRules) -> tuple[NDArray[np.bool_], str]:
    """Return which rows are left, and a line about it."""
    core, event = rules.core, log.grade > 0
    user, item = (pd.factorize(column)[0] for column in (log.user, log.item))
    kept = iterated_core(user[event], item[event], core.user, core.item)
    keep, of_core = np.ones(len(log), dtype=np.bool_), np.zeros(len(log), dtype=np.bool_)
    of_core[np.flatnonzero(event)[kept]] = True
    for label, least in ((user, core.user), (item, core.item)):
        if least > 1:
            keep &= _has(label, of_core)
    return keep, (
        f"core of {core.user} events a user and {core.item} an item: {kept.sum()} of {len(kept)}"
        " events are left"
    )


def _requests(log: Exposures) -> NDArray[np.int64]:
    """Return a number for each row that the rows of one request have in common.

    A request is a search (user, session and query) or a delivery (user and time).
    """
    moment = np.where(log.query < 0, log.time, log.session)
    (user, users), (moment, moments) = (pd.factorize(each) for each in (log.user, moment))
    label = user * np.int64(len(moments)) + moment
    if len(users) * len(moments) * (len(log.words) + 1) >= 2**62:
        label = pd.factorize(label)[0]
    return pd.factorize(label * np.int64(len(log.words) + 1) + log.query + 1)[0]


def _has(label: NDArray[np.integer], which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return of each row whether ``which`` holds for any row of its label."""
    has = np.zeros(int(label.max(initial=-1)) + 1, dtype=np.bool_)
    has[label[which]] = True
    return has[label]


def _interactions(
    log: Exposures, behind: int, tables: Mapping[str, TableFile]
) -> tuple[Interactions, NDArray[np.int64]]:
    """Return the events and exposures, and the distinct items, ascending.

    Args:
        log: all that is left.
        behind: added to the lines of searches; the lines of recommendations go up to it.
        tables: for the places of rows.
    """

    def origin(row: int) -> tuple[Path, int]:
        if row > behind:
            return tables["search"].path, row - behind
        return tables["rec"].path, row

    user, users = _coded(log.user)
    item, items = _coded(log.item)
    asked = log.query >= 0
    session = np.full(len(log), -1, dtype=np.int32)
    session[asked], sessions = _coded(log.session[asked])
    used = np.flatnonzero(np.bincount(log.query[asked], minlength=len(log.words)))
    place = np.full(len(log.words) + 1, -1, dtype=np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    inter = Interactions(
        user=user,
        item=item,
        time=log.time,
        query=place[log.query],
        session=session,
        users=ids_as_text(users),
        items=ids_as_text(items),
        queries=log.words.take(pa.array(used)),
        sessions=ids_as_text(sessions),
        row=log.line + np.where(asked, behind, 0),
        origin=origin,
        grade=log.grade,
    )
    return inter, items


def _coded(ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return codes, and the distinct ids that they stand for, ascending."""
    code, distinct = pd.factorize(ids, sort=True)
    return code.astype(np.int32), np.asarray(distinct)


def _catalogue(
    tables: Mapping[str, TableFile],
    inter: Interactions,
    items: NDArray[np.int64],
    rules: KuaisarRules,
    wanted: Wanted,
) -> Texts:
    columns = tuple(dict.fromkeys(wanted.columns))
    if "items" in tables:
        listed = rules.catalogue == "listed"
        return read_items(tables["items"], columns, items, listed, wanted.cleaning)
    if columns:
        raise InputError(
            f"the card names the items' {plain(columns[0], 40)}; name the file 'items'"
        )
    return Texts(inter.items, {})


READER = Reader(
    needed=("rec", "search"),
    optional=("items", "users", "social"),
    rules=KuaisarRules,
    read=_read,
    archive="archive",
)
