"""What scorers of candidates share that read a recommendation history and a search history."""
