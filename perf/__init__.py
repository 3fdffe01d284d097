"""Side-by-side measurements: ours against a named peer, in one run, on the same input."""
