"""Group normalization in the form that is fast on the backend."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Config, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class GroupNorm(keras.layers.GroupNormalization):
    """Normalize groups of channels as `keras.layers.GroupNormalization` does, faster on torch.

    Written out, as Keras has it, it takes a dozen passes over the maps where each operation is one;
    XLA makes one of them, and torch has a kernel.

    Args:
        groups: number of groups, a divisor of the channels.
        epsilon: added to the variance.
        **kwargs: passed to `keras.layers.Layer`.

    Source: Wu and He, "Group Normalization", ECCV 2018.

    Example:
    ```python
    import keras
    from keras_simmim.layers.group_norm import GroupNorm

    GroupNorm(groups=2)(keras.random.normal((2, 4, 6, 8))).shape   # (2, 4, 6, 8)
    ```
    """

    def __init__(self, groups: int, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(groups, epsilon=epsilon, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        """Normalize maps (B, …, C), in float32 at least: (B, …, C)."""
        if not kernels.has_group_norm_kernel():
            return super().call(inputs)
        wide = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        gamma, beta = (ops.cast(each, wide.dtype) for each in (self.gamma, self.beta))
        normal = kernels.group_norm(wide, self.groups, gamma, beta, self.epsilon)
        return ops.cast(normal, self.compute_dtype)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        config = keras.layers.Layer.get_config(self)
        return {**config, "groups": self.groups, "epsilon": self.epsilon}
