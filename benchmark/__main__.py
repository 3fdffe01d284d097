"""``python -m benchmark``."""

from benchmark.signals import listen

listen()  # first of all: a signal that comes while the rest is imported ends in one line, too

from benchmark.cli import main  # noqa: E402

main()
