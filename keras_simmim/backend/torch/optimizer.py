"""AdamW on torch, which computes an update in place."""

from typing import Any

import keras
import torch

from keras_simmim.backend.torch.kernels import total_norm
from keras_simmim.backend.types import Tensor

# Keras makes an AdamW an instance of a class that updates all weights at once.
_AdamW: Any = type(keras.optimizers.AdamW.__new__(keras.optimizers.AdamW))


class AdamW(_AdamW):
    """Update all weights with one temporary of their size instead of five, for `SelectiveAdamW`.

    On CPUs, fresh memory costs more than the arithmetic.
    """

    def _clip_gradients(self, gradients: list[Tensor]) -> list[Tensor]:
        if not self.global_clipnorm:
            return super()._clip_gradients(gradients)
        norm = total_norm(gradients)
        return torch._foreach_mul(gradients, (self.global_clipnorm / norm).clamp(max=1.0))

    def _parallel_update_step(
        self, gradients: list[Tensor], variables: list, learning_rate: Tensor
    ) -> None:
        """Update all weights; the rate is corrected for the moments' bias already."""
        weights = [variable.value for variable in variables]
        places = [self._get_variable_index(variable) for variable in variables]
        first, second = (
            [moments[place].value for place in places]
            for moments in (self._momentums, self._velocities)
        )
        torch._foreach_lerp_(first, gradients, 1 - self.beta_1)
        torch._foreach_mul_(second, self.beta_2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - self.beta_2)
        if self.amsgrad:
            largest = [self._velocity_hats[place].value for place in places]
            torch._foreach_maximum_(largest, second)
            second = largest
        spread = torch._foreach_sqrt(second)
        torch._foreach_add_(spread, self.epsilon)
        torch._foreach_div_(spread, learning_rate)
        torch._foreach_addcdiv_(weights, first, spread, -1)
