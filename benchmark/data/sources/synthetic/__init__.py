"""Format ``synthetic``: data of known truth, drawn from the rules of a card instead of files."""
