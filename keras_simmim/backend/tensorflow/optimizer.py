"""AdamW on TensorFlow, where one operation updates a weight."""

from typing import Any

import tensorflow as tf

from keras_simmim.backend import adamw
from keras_simmim.backend.types import Tensor


class AdamW(adamw.AdamW):
    """Update each weight by one operation, for `SelectiveAdamW`.

    Written out, the update takes longer to trace than the network.
    """

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Update one weight; the rate is corrected for the moments' bias already."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        rate, beta_1, beta_2, epsilon, gradient = (
            tf.cast(value, variable.dtype)
            for value in (learning_rate, self.beta_1, self.beta_2, self.epsilon, gradient)
        )
        # Powers of 0 are those of moments without a bias.
        none = tf.zeros((), variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=none,
            beta2_power=none,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=gradient,
        )
