from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gensar.engine.trie import ExcludedItems, Trie

TABLES = st.integers(1, 4).flatmap(
    lambda levels: st.lists(
        st.tuples(*[st.integers(0, 3 if level < levels - 1 else 9) for level in range(levels)]),
        min_size=1,
        max_size=12,
    )
)


def _prefixes(rows: list[tuple[int, ...]], length: int) -> set[tuple[int, ...]]:
    return {row[:length] for row in rows}


@given(TABLES)
@settings(deadline=None)
def test_nodes_are_the_distinct_prefixes(rows) -> None:
    trie = Trie.of(np.array(rows))
    nodes: dict[tuple[int, ...], int] = {}
    for row, path in zip(rows, trie.path.tolist(), strict=True):
        for length, node in enumerate(path, start=1):
            assert nodes.setdefault(row[:length], node) == node
    assert sorted(nodes.values()) == list(range(1, trie.nodes))


@given(TABLES)
@settings(deadline=None)
def test_children_are_the_codes_that_go_on_from_a_prefix(rows) -> None:
    trie = Trie.of(np.array(rows))
    node_of = {(): 0}
    for row, path in zip(rows, trie.path.tolist(), strict=True):
        node_of |= {row[: i + 1]: node for i, node in enumerate(path)}
    for level in range(trie.levels):
        prefixes = sorted(_prefixes(rows, level))
        child, code, real = trie.children(torch.tensor([node_of[p] for p in prefixes]), level)
        widest = 0
        for i, prefix in enumerate(prefixes):
            going_on = {
                row[level]: node_of[row[: level + 1]] for row in rows if row[:level] == prefix
            }
            there = real[i]
            assert (
                dict(zip(code[i][there].tolist(), child[i][there].tolist(), strict=True))
                == going_on
            )
            assert int(there.sum()) == len(going_on)
            widest = max(widest, len(going_on))
        assert trie.widest[level] == widest


@given(TABLES)
@settings(deadline=None)
def test_a_child_that_does_not_exist_has_code_0_and_no_children(rows) -> None:
    trie = Trie.of(np.array(rows))
    nodes = torch.zeros(1, dtype=torch.int64)
    for level in range(trie.levels):
        child, code, real = trie.children(nodes, level)
        assert (code[~real] == 0).all()
        for deeper in range(level + 1, trie.levels):
            assert not trie.children(child[~real], deeper)[2].any()
        nodes = child.flatten()


@given(TABLES, st.data())
@settings(deadline=None)
def test_what_is_open_leads_to_an_item_that_is_not_excluded(rows, data) -> None:
    trie = Trie.of(np.array(rows))
    some = st.lists(st.integers(0, len(rows) - 1), max_size=2 * len(rows))
    excluded_items = data.draw(st.lists(some, min_size=1, max_size=3))
    offsets = np.cumsum([0, *map(len, excluded_items)])
    items = np.array([item for each in excluded_items for item in each], dtype=np.int64)
    excluded = ExcludedItems.of(trie, offsets, items)
    everything = torch.arange(len(rows)).expand(len(excluded_items), -1)
    expected = [[item in each for item in range(len(rows))] for each in excluded_items]
    assert excluded.holds(everything).tolist() == expected
    for level in range(trie.levels):
        nodes = trie.path[:, level - 1].unique() if level else torch.zeros(1, dtype=torch.int64)
        child, _, real = trie.children(nodes, level)
        asked = nodes.expand(len(excluded_items), -1), real.expand(len(excluded_items), -1, -1)
        left = excluded.allowed_children(*asked)
        for row, each in enumerate(excluded_items):
            good = {trie.path[item, level].item() for item in range(len(rows)) if item not in each}
            assert set(child[left[row]].tolist()) == good


def test_without_requests_nothing_is_excluded() -> None:
    trie = Trie.of(np.array([[0, 1], [1, 0]]))
    none = np.empty(0, dtype=np.int64)
    assert ExcludedItems.of(trie, np.zeros(1, dtype=np.int64), none).items.shape == (0, 0)
    empty = ExcludedItems.of(trie, np.zeros(3, dtype=np.int64), none)
    assert not empty.holds(torch.tensor([[0, 1], [1, 0]])).any()
