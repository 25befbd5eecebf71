"""Crops: described by the user, drawn once for each image as numbers, then applied."""
