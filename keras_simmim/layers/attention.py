"""Dot-product attention and exact GELU, in the form that is fast on the backend."""

import math

from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Tensor


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return softmax(query · keyᵀ / √d + bias) · value.

    Without a kernel of the backend's own, rows are divided by their sum behind the product with
    the values, on d columns instead of N; exponentials and sums are float32 in any precision.

    Args:
        query: (B, heads, N, d).
        key: (B, heads, N, d).
        value: (B, heads, N, d).
        bias: added to the scores, broadcast to (B, heads, N, N), in the dtype of the query.

    Returns:
        (B, heads, N, d).

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.

    Example:
    ```python
    import keras
    from keras_simmim.layers.attention import attention

    query, key, value = keras.random.normal((3, 2, 4, 16, 8))
    attention(query, key, value).shape   # (2, 4, 16, 8)
    ```
    """
    if kernels.has_attention_kernel():
        return kernels.attention(query, key, value, bias)
    scores = ops.matmul(query / math.sqrt(query.shape[-1]), ops.transpose(key, (0, 1, 3, 2)))
    scores = ops.cast(scores if bias is None else scores + bias, "float32")
    # The shift changes nothing but the range, so that no gradient need pass.
    shift = ops.stop_gradient(ops.max(scores, axis=-1, keepdims=True))
    weights = ops.exp(scores - shift)
    total = ops.sum(weights, axis=-1, keepdims=True)
    attended = ops.matmul(ops.cast(weights, value.dtype), value)
    return attended / ops.cast(total, value.dtype)


def gelu(inputs: Tensor) -> Tensor:
    """Multiply x by Φ(x), the normal distribution function, without approximation.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016, section 2.

    Example:
    ```python
    import keras
    from keras_simmim.layers.attention import gelu

    float(gelu(keras.ops.ones(())))   # 0.841345
    ```
    """
    if kernels.has_gelu_kernel():
        return ops.gelu(inputs, approximate=False)
    exact = ops.cast(inputs, "float32")
    return ops.cast(exact * (0.5 + 0.5 * ops.erf(exact * math.sqrt(0.5))), inputs.dtype)
