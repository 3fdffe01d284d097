"""What is known of one model: what it serves, where it is from, and each of its settings."""

from __future__ import annotations

from dataclasses import fields
from math import inf
from typing import Any

__all__ = ["model_page"]


def model_page(name: str) -> dict[str, Any]:
    """Return what is known of a model, JSON-ready.

    Its ``settings`` are a list of ``name``, ``about``, ``low`` and ``high`` (``None`` for no
    bound), ``values`` by preset, and ``searched``: what ``tune`` draws it from, ``None`` where it
    does not.

    Raises:
        InputError: there is no such model, or it cannot run here.
        BenchmarkError: it cannot be loaded or made.
    """
    from benchmark.registry import find
    from benchmark.running.plan_rules import plan_experiments
    from benchmark.settings import PRESETS
    from benchmark.tuning.begin import plain_settings, space_for

    entry = find(name)
    plans = {p: plan_experiments([entry], entry.tasks, p, ())[0] for p in PRESETS}
    values = {preset: plain_settings(plan.settings) for preset, plan in plans.items()}
    space = space_for(plans["standard"])
    said_by_its_name = dict(entry.settings)
    return {
        "name": entry.name,
        "tasks": list(entry.tasks),
        "group": entry.group,
        "summary": entry.summary,
        "reference": entry.reference,
        "settings": [
            {
                "name": each.name,
                "about": each.metadata.get("doc", ""),
                "low": _bound(each.metadata.get("low", -inf)),
                "high": _bound(each.metadata.get("high", inf)),
                "values": {preset: of[each.name] for preset, of in values.items()},
                "searched": space[each.name].described() if each.name in space else None,
            }
            for each in fields(plans["standard"].settings)
            if each.name not in said_by_its_name
        ],
    }


def _bound(number: float) -> float | None:
    return None if number in (-inf, inf) else number
