"""Readers of published formats, a folder or a prefix each, on the parsers in ``files``."""
