"""What ``data describe`` shows to people: the numbers of a description as a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from benchmark.cli.pages import Bars, Entry, Heading, Part, percent

__all__ = ["TASKS", "description_page", "histograms"]

TASKS = {"rec": "recommendation", "search": "search"}
_PROTOCOLS = {
    "full": "the whole catalogue (full)",
    "sampled": "drawn items beside the relevant ones (sampled)",
    "given": "the lists that the data bring (given)",
}
_READERS = {
    "english": "words, stemmed as English",
    "bigrams": "words, stemmed as English, and pairs of letters where no blanks part words",
    "tokens": "tokens as they stand",
}


def description_page(found: dict[str, Any]) -> Iterator[Part]:
    """Yield the parts of a page on a data set.

    Args:
        found: what :func:`benchmark.data.describe.describe` returns.
    """
    yield Heading(found["name"])
    yield Entry("", found["description"])
    yield Entry("Source", found["source"])
    yield Entry("Licence", found["licence"])
    yield Entry("Split", _split(found))
    digests = (found[name][:12] for name in ("digest", "candidates_digest"))
    yield Entry("Digests", "data {}, candidates {}".format(*digests))
    yield Heading("What it holds")
    yield _events(found)
    yield from _contents(found)
    yield Heading("What is asked")
    if found["requests"]:
        yield _requests(found)
        yield from _asking(found)
    else:
        yield Entry("", "Nothing: no request is left, for the reasons that are told on loading.")
    yield from histograms(found)
    if found["notes"]:
        yield Heading("What was chosen and cleaned")
        yield from (Entry("-", note, indent=2) for note in found["notes"])
    if found["citation"].strip():
        yield Heading("To cite")
        yield Entry("", found["citation"].strip("\n"))


def histograms(found: dict[str, Any]) -> Iterator[Bars]:
    """Yield the histograms of a description that have anything to show."""
    for name, title in _titles(found).items():
        bins = _bins(found, name)
        yield Bars(title, list(zip(_labels(name, bins, found), _counts(bins), strict=True)))


def _titles(found: dict[str, Any]) -> dict[str, str]:
    """Return the title of each histogram that has anything to show, by its name.

    A name is a key of ``distributions``, for histories followed by a dot and the task.
    """
    most = found["popularity"]
    users, items = found["events_per_user"], percent(most["top_10_percent"])
    titles = {
        "events_per_user": f"Users by their number of events (median {users.get('50%', 0):,.0f})",
        "events_per_item": (
            f"Items by their number of events (the top 1% have {percent(most['top_1_percent'])}"
            f" of all events, the top 10% {items}; Gini {most['gini']:.2f})"
        ),
    }
    for task, name in TASKS.items():
        titles[f"history_length.{task}"] = (
            f"Test requests by the events of their history, {name} (median {_median(found, task)})"
        )
    unspaced = _unspaced(found)
    titles["query_characters" if unspaced else "query_words"] = (
        f"Searches by the {'letters' if unspaced else 'words'} of their query"
    )
    titles["time"] = "Events by time, from each day to the next"
    return {name: title for name, title in titles.items() if _bins(found, name)}


def _labels(name: str, bins: list[dict[str, int]], found: dict[str, Any]) -> list[str]:
    """Return what each bin of a histogram is called."""
    if name == "time":
        from benchmark.data.days import moment_of

        unit = found["times"]["unit"]
        moments = [moment_of(each["low"], unit) for each in bins]
        near = len(moments) > 1 and (moments[1] - moments[0]).days < 2
        return [each.strftime("%Y-%m-%d %H:%M" if near else "%Y-%m-%d") for each in moments]
    return [
        f"{each['low']:,}" if each["low"] == each["high"] else f"{each['low']:,}-{each['high']:,}"
        for each in bins
    ]


def _bins(found: dict[str, Any], name: str) -> list[dict[str, int]]:
    key, _, task = name.partition(".")
    bins: list[dict[str, int]] = found["distributions"][key]
    return bins if not task else found["distributions"][key].get(task, [])


def _counts(bins: list[dict[str, int]]) -> list[int]:
    return [each["count"] for each in bins]


def _unspaced(found: dict[str, Any]) -> bool:
    """Whether most letters of queries are of scripts that put no blanks between words."""
    shares = found["text"]["scripts"]["queries"]
    return sum(shares.get(name, 0) for name in ("Han", "Kana", "Thai")) > 0.5


def _median(found: dict[str, Any], task: str) -> str:
    asked = found["requests"].get("test", {}).get(task, {})
    return f"{asked.get('history_length', {}).get('50%', 0):,.0f}"


def _span(quantiles: dict[str, float]) -> str:
    ends = dict.fromkeys(f"{quantiles[name]:,.0f}" for name in ("0%", "100%") if quantiles)
    return " to ".join(ends)


def _split(found: dict[str, Any]) -> str:
    left_out = ", ".join(TASKS[task] for task in found["exclude_seen"])
    kept = "items of the history are ranked too"
    return (
        f"{found['split']}; leakage {found['leakage']}; "
        + (f"items of the history are not ranked in {left_out}" if left_out else kept)
        + f" (seen {found['seen']})"
    )


def _events(found: dict[str, Any]) -> Table:
    table = Table("", "all", "recommendation", "search")
    for name, key in (("events", "events"), ("of them training", "training")):
        table.add_row(name, *(f"{found[key][kind]:,}" for kind in ("all", "rec", "search")))
    repeats = [percent(found["repeats"][t]) if found["events"][t] else "" for t in TASKS]
    table.add_row("again the same user and item", "", *repeats)
    return table


def _contents(found: dict[str, Any]) -> Iterator[Entry]:
    each, texts, items = found["events_per_user"], found["text"], found["items"]
    yield Entry("Users", f"{found['users']:,}, with {_span(each) or 'no'} events")
    without = texts["items_without"]
    text = "all with a text" if not without else f"{without:,} without a text"
    told = "none without a text" if items == 0 else "none with a text" if without == items else text
    words = f", of {texts['mean_item_words']:.1f} words on average" if without < items else ""
    never = found["popularity"]["without_events"]
    yield Entry("Items", f"{items:,}, {told}{words}; {never:,} without an event")
    yield Entry("Density", f"{found['density']:.2%} of all pairs of user and item occur")
    yield Entry("Queries", _queries(found["queries"]))
    if examples := found["queries"].get("examples"):
        yield Entry("such as", "; ".join(f"'{example}'" for example in examples))
    yield Entry("Sessions", f"{found['sessions']:,}" if found["sessions"] else "the data tell none")
    yield Entry("Texts", _texts(texts))
    yield Entry("Times", _times(found["times"]))


def _queries(queries: dict[str, Any]) -> str:
    if not queries["searches"]:
        return "none: recommendation only"
    text = (
        f"{queries['distinct']:,}, of {queries['mean_words']:.1f} words on average; "
        f"{queries['ambiguous_searches']:.0%} of searches have one that leads to several items"
    )
    kinds = queries["kinds"]
    parts = [f"{kind} {each['searches']:,} ({each['queries']:,})" for kind, each in kinds.items()]
    return f"{text}; searches (queries) by kind: {', '.join(parts)}" if len(kinds) > 1 else text


def _texts(texts: dict[str, Any]) -> str:
    told = [f"word search reads {_READERS[texts['analyser']]} (analyser: {texts['analyser']})"]
    for what, shares in texts["scripts"].items():
        if shares:
            shown = ", ".join(
                f"{name} {percent(share)}" for name, share in list(shares.items())[:4]
            )
            told.append(f"letters of {what}: {shown}")
    shares = texts["scripts"]["items"]
    if shares and shares.get("Latin", 0) < 0.5:
        told.append("the installed text encoder reads Latin letters only: see --set encoder=…")
    return "; ".join(told)


def _times(times: dict[str, Any]) -> str:
    spans, unit = times["parts"], times["unit"]
    begin, end = ("from", "to") if unit else ("first", "last")
    told = [f"{unit} since 1970, UTC" if unit else "positions, no clock"]
    for part, span in spans.items():
        shown = (str(span[name])[: 16 if unit else None].replace("T", " ") for name in (begin, end))
        told.append(f"{'all events' if part == 'all' else part}: {' to '.join(shown)}")
    told.append(f"{percent(times['same_time'])} of events share user and time with another one")
    return "\n".join(told)


def _requests(found: dict[str, Any]) -> Table:
    table = Table("part", "task", "requests", "users", "relevant", "history", "not asked")
    for part, tasks in found["requests"].items():
        for task, each in tasks.items():
            relevant = each["relevant"] / max(1, each["requests"])
            table.add_row(
                part,
                task,
                f"{each['requests']:,}",
                f"{each['users']:,}",
                f"{relevant:.2f}",
                _span(each["history_length"]),
                f"{each['not_asked']:,}",
            )
    return table


def _asking(found: dict[str, Any]) -> Iterator[Entry]:
    yield Entry(
        "",
        "relevant: items of a request, on average; history: events before it; not asked: requests"
        " that only repeat their own history",
    )
    lists = [_PROTOCOLS[name] + _lengths(found, name) for name in found["protocols"]]
    if lists:
        yield Entry("Candidates", "\n".join(lists))
    grades = {
        g for tasks in found["requests"].values() for t in tasks.values() for g in t["grades"]
    }
    if grades - {1.0}:
        yield Entry("Grades", ", ".join(f"{grade:g}" for grade in sorted(grades)))


def _lengths(found: dict[str, Any], protocol: str) -> str:
    if protocol == "full":
        return f": {found['items']:,} items"
    told = []
    for task, name in TASKS.items():
        asked = found["requests"].get("test", {}).get(task, {})
        if lists := asked.get("candidates", {}).get(protocol):
            told.append(f"{_span(lists)} in a {name} request of the test")
    return f": {', '.join(told)}" if told else ""
