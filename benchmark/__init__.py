"""Benchmark for models that serve search and recommendation together."""

__version__ = "0.1.0"
