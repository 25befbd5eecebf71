"""Which part of an image a crop is, drawn once and then applied."""
