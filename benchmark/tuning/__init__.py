"""Choosing settings: the same search for every model, on validation requests only."""
