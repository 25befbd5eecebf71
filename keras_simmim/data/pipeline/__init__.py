"""Epochs, batches, and how long they are waited for."""
