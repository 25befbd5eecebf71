"""AdamW on JAX: written out, since XLA fuses it."""

from keras_simmim.backend.adamw import AdamW

__all__ = ["AdamW"]
