"""AdamW whose learning rate is corrected for the moments' bias once, not for every weight."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Tensor


class AdamW(keras.optimizers.AdamW):
    """Update weights as `keras.optimizers.AdamW` does, for `SelectiveAdamW` on JAX.

    The other backends have faster updates.
    """

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Update one weight; the rate is corrected for the moments' bias already."""
        place = self._get_variable_index(variable)
        first, second = self._momentums[place], self._velocities[place]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        if self.amsgrad:
            largest = self._velocity_hats[place]
            self.assign(largest, ops.maximum(largest, second))
            second = largest
        change = ops.cast(learning_rate, variable.dtype) * first / (ops.sqrt(second) + self.epsilon)
        self.assign_sub(variable, change)
