"""Texts become rows of token ids; all of it works without TensorFlow."""
