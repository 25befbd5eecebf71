"""Sizes of batches on JAX and torch, where they are known before anything is computed."""

import keras
from keras import ops

from keras_simmim.backend.types import Shape, Tensor


def never_empty(batch: Tensor) -> Tensor:
    """Give a batch without examples one of zeros, (1, …); others stay as they are."""
    if batch.shape[0]:
        return batch
    dtype = keras.backend.standardize_dtype(batch.dtype)
    return ops.zeros((1, *batch.shape[1:]), dtype=dtype)


def with_shape(tensor: Tensor, shape: Shape) -> Tensor:
    """Return the tensor, which has this shape already."""
    return tensor
