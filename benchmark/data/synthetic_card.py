"""``data synthetic``: a folder with a card of the format ``synthetic``, which needs no files."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from benchmark.data.card import read_card
from benchmark.data.sources.synthetic.rules import SyntheticRules
from benchmark.errors import InputError
from benchmark.folders import workplace
from benchmark.names import as_name, check_name
from benchmark.plain_text import plain
from benchmark.type_faults import message_of

__all__ = ["write_synthetic_card"]

_CARD = """\
# Drawn, not measured; what stands in rules is what is true of it. See docs/data/synthetic.md.
name: {name}
description: "Made-up data of known truth."
source: "drawn by this package from the rules below"
licence: "none needed"
citation: ""
format: synthetic
files: {{}}
{rules}split: {{name: leave-one-out}}
title: "{{title}}"
text: [about]
analyser: english
"""


def write_synthetic_card(
    folder: Path, name: str | None, rules: Mapping[str, Any], taken: tuple[str, ...]
) -> SyntheticRules:
    """Write a folder with a card of some rules; nothing is drawn yet.

    Args:
        folder: is made, or is empty.
        name: of the data set; by default the folder's.
        rules: by name; those that are not given have their defaults.
        taken: names of the cards that there are.

    Raises:
        InputError: a rule of a wrong value, a name that is taken, or a folder that holds something.
    """
    try:
        chosen = SyntheticRules.model_validate(dict(rules))
    except ValidationError as error:
        raise InputError("; ".join(map(_told, error.errors(include_url=False)))) from None
    shown = plain(str(folder))
    if name is None:
        own = as_name(folder.absolute().name)
        name = f"{own}-data" if own in taken else own
    elif check_name(name, "--name") in taken:
        raise InputError(f"--name {name}: a card has this name already; choose another")
    values = yaml.safe_dump({"rules": chosen.model_dump()}, sort_keys=False)
    quoted = yaml.safe_dump(name, default_style='"', width=10**9).strip()
    try:
        with workplace(folder.absolute()) as draft:
            card = _CARD.format(name=quoted, rules=values)
            (draft / "card.yaml").write_text(card, encoding="utf-8")
            read_card(draft / "card.yaml")
            draft.rename(folder.absolute())
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            text = f"{shown}: is there and not an empty folder; name another"
            raise InputError(text) from None
        raise InputError(f"{shown}: cannot be written: {error.strerror}") from None
    return chosen


def _told(problem: Any) -> str:
    """Return what is wrong with one rule, by the name of its option."""
    message = plain(" ".join(message_of(problem).split()), 200)
    option = f"--{str(problem['loc'][0]).replace('_', '-')}: " if problem["loc"] else "--"
    return f"{option}{message}"
