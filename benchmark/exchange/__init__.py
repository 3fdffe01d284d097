"""TREC files, in and out."""
