"""One run: its plan, its identity, and the runner."""
