"""Files to pixels: formats, orientation, and what cannot be read."""
