"""What a notebook calls, and what the command line stands on; ``import benchmark`` offers it."""
