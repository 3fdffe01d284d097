"""``python -m benchmark``, and the console script."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and end the process."""
    from benchmark.signals import listen

    listen()  # first of all: a signal that comes while the rest is imported ends in one line, too
    from benchmark.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
