"""Results: JSON Lines, one line a run, typed when read."""
