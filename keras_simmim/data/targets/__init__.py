"""What belongs to an image besides its pixels, and what a crop of the image makes of it."""
