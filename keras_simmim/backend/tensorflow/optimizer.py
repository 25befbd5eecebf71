"""AdamW on TensorFlow, where one operation updates a weight."""

from typing import Any

import tensorflow as tf

from keras_simmim.backend import adamw
from keras_simmim.backend.tensorflow.kernels import total_norm
from keras_simmim.backend.types import Tensor


class AdamW(adamw.AdamW):
    """Update each weight by one operation, for `SelectiveAdamW`.

    Written out, the update takes longer to trace than the network.
    """

    def _clip_gradients(self, gradients: list[Tensor]) -> list[Tensor]:
        """Clip; Keras cannot clip the norm of gradients of several dtypes together."""
        if not self.global_clipnorm or len({gradient.dtype for gradient in gradients}) == 1:
            return super()._clip_gradients(gradients)
        factor = tf.minimum(self.global_clipnorm / total_norm(gradients), 1.0)
        return [gradient * tf.cast(factor, gradient.dtype) for gradient in gradients]

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Update one weight; the rate is corrected for the moments' bias already."""
        # In half precision β₂ is 1.
        if self.amsgrad or variable.dtype not in ("float32", "float64"):
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
