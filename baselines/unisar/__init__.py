"""UniSAR (Shi et al. 2024): one scorer of candidates from recommendation and search history."""
