"""The command line: each module parses one command and calls the library."""

from benchmark.cli.app import main

__all__ = ["main"]
