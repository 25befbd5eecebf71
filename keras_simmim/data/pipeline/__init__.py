"""Records to batches: what every source shares."""
