"""Asking models, counting where relevant items stand, and metrics from the counts."""
