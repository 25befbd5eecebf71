"""What TensorFlow computes in one piece, so that it need not be written out."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from keras_simmim.backend.types import Shape, Tensor


def has_attention_kernel() -> bool:
    """Say whether `attention` is one kernel: here it is a chain of `einsum`."""
    return False


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Raise, since `has_attention_kernel` is never true here."""
    raise NotImplementedError("On TensorFlow attention is written out.")


def has_gelu_kernel() -> bool:
    """Say whether `ops.gelu` costs about one pass."""
    return True


def has_layer_norm_kernel() -> bool:
    """Say whether `ops.layer_normalization` is one kernel."""
    return False


def has_group_norm_kernel() -> bool:
    """Say whether `group_norm` is one kernel: here XLA makes one of what is written out."""
    return False


def group_norm(maps: Tensor, groups: int, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Raise, since `has_group_norm_kernel` is never true here."""
    raise NotImplementedError("TensorFlow normalizes groups as Keras writes it.")


def affine(rows: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Multiply rows by a kernel and add a bias: (R, D), (D, K) and (K,) to (R, K)."""
    return tf.matmul(rows, kernel) + bias


def batch_size(batch: Tensor) -> Tensor:
    """Count a batch's examples: a float32 scalar."""
    return tf.cast(tf.shape(batch)[0], tf.float32)


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Take the Euclidean norm of all gradients together: a float32 scalar."""
    squares = [tf.reduce_sum(tf.square(tf.cast(each, tf.float32))) for each in gradients]
    return tf.sqrt(sum(squares))


def never_empty(batch: Tensor) -> Tensor:
    """Give a batch without examples one of zeros, (1, …); others stay as they are."""
    missing = tf.cast(tf.equal(tf.shape(batch)[0], 0), tf.int32)
    return tf.pad(batch, [[0, missing], *([[0, 0]] * (len(batch.shape) - 1))])


def with_shape(tensor: Tensor, shape: Shape) -> Tensor:
    """Let sizes that a graph does not know be checked when it runs, and be known behind it."""
    return tf.ensure_shape(tensor, shape)


def loops_over(blocks: Sequence[keras.layers.Layer], tokens: Tensor) -> bool:
    """Say whether `run_in_loop` is of use: not here, where blocks are compiled one by one."""
    return False


def run_in_loop(
    blocks: Sequence[keras.layers.Layer],
    tokens: Tensor,
    biases: Sequence[Tensor | None],
    factors: Sequence[Tensor | None],
) -> Tensor:
    """Raise, since `loops_over` is never true here."""
    raise NotImplementedError("TensorFlow calls blocks one after another.")
