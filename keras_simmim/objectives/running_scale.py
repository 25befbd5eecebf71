"""How large each modality's targets are, so that none drowns another."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class RunningScale(keras.layers.Layer):
    """Average M positive values over time, without the bias of the start, and never tiny.

    In training it follows the values it is given; otherwise it says what it has, or, before any
    training, the values themselves.

    Args:
        momentum: share of the past that each step keeps, 0 ≤ momentum < 1.
        floor: smallest scale, above 0: gray images do not blow up the chroma term.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for a momentum or floor out of range.

    Source: Kingma and Ba, "Adam", ICLR 2015, section 3, for the correction of the start.

    Example:
    ```python
    import keras_simmim as ks
    from keras import ops

    scale = ks.objectives.RunningScale(momentum=0.9, floor=0.05)
    sizes = ops.convert_to_tensor([2.0, 0.0])
    ops.convert_to_numpy(scale(sizes, training=True))   # [2., 0.05]
    ```
    """

    def __init__(self, momentum: float = 0.99, floor: float = 0.05, **kwargs: Any) -> None:
        # Half precision would forget small steps of the mean.
        super().__init__(autocast=False, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be a number with 0 <= momentum < 1, got {momentum!r}.")
        if not floor > 0:
            raise ValueError(f"floor must be above 0, got {floor!r}.")
        self.momentum = momentum
        self.floor = floor

    def build(self, input_shape: Shape) -> None:
        """Create the means for M values."""
        options = {
            "initializer": "zeros",
            "trainable": False,
            "dtype": "float32",
            "autocast": False,
        }
        self.mean = self.add_weight(shape=input_shape, name="mean", aggregation="mean", **options)
        # What the past counts for in all: 1 − momentum^steps.
        self.weight = self.add_weight(shape=(), name="weight", aggregation="mean", **options)

    def call(self, values: Tensor, training: bool = False, counts: Tensor | float = 1.0) -> Tensor:
        """Return the scales, float32 (M,), after these values if in training.

        Args:
            values: (M,), positive.
            training: whether to follow the values.
            counts: scalar, how much these values of one replica count beside the others'; 0 for
                those of no image.
        """
        values, counts = ops.stop_gradient(ops.cast(values, "float32")), ops.cast(counts, "float32")
        share = devices.mean_over_replicas(counts)
        values = ops.divide_no_nan(devices.mean_over_replicas(values * counts), share)
        mean, weight = ops.convert_to_tensor(self.mean), ops.convert_to_tensor(self.weight)
        if training:
            momentum = ops.where(share > 0, self.momentum, 1.0)
            mean = momentum * mean + (1 - momentum) * values
            weight = momentum * weight + (1 - momentum)
            self.mean.assign(mean)
            self.weight.assign(weight)
        scale = ops.where(weight > 0, mean / ops.maximum(weight, 1e-6), values)
        return ops.maximum(scale, self.floor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's own shape."""
        return input_shape

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "floor": self.floor}
