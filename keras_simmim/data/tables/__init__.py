"""Encoded images that are read by their numbers: files, and rows of shards."""
