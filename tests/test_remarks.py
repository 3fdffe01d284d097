"""Remarks are lines on stderr; an error is red only where a terminal takes colours."""

from __future__ import annotations

import io

import pytest

from benchmark.remarks import remark


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "red"),
    [
        (_Terminal(), {"TERM": "xterm"}, True),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (_Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Terminal(), {"TERM": "dumb"}, False),
        (_Terminal(), {}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_an_error_is_red_where_colours_are_wanted(
    stream: io.StringIO,
    environment: dict[str, str],
    red: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", stream)
    remark("it \x1b[2J failed", alarm="error:")
    remark("no alarm")
    first, second = stream.getvalue().splitlines()
    assert ("\x1b[1;31merror:\x1b[0m " in first) == red
    assert "\x1b[2J" not in first and first.endswith(" failed")
    assert second == "no alarm"
