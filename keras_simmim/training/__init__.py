"""What stands around `fit`: callbacks."""

from keras_simmim.training import callbacks

__all__ = ["callbacks"]
