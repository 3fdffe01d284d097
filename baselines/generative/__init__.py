"""Baselines that write identifiers with GenSAR's vocabulary, backbone and constrained decoding."""
