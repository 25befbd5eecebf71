"""A linear layer in the form that is fast on the backend."""

import keras
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class Linear(keras.layers.Dense):
    """Apply `keras.layers.Dense` without an activation to rows (R, D), with the bias in one pass.

    Args:
        units: width of the output.
        **kwargs: passed to `keras.layers.Dense`.

    Example:
    ```python
    import keras
    from keras_simmim.layers.linear import Linear

    Linear(3)(keras.ops.ones((2, 5))).shape   # (2, 3)
    ```
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Map rows (R, D) to (R, units)."""
        if self.bias is None:
            return super().call(inputs, training=training)
        return kernels.affine(inputs, *map(ops.convert_to_tensor, (self.kernel, self.bias)))
