"""The shared loader: cards, atomic files, event log, splits, requests and frozen candidates."""
