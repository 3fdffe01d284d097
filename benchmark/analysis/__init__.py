"""What stored runs say: leaderboards, comparisons, checks, as data."""
