"""AdamW on torch, which computes an update in place."""

from typing import Any

import keras
import torch

from keras_simmim.backend.torch.kernels import total_norm
from keras_simmim.backend.types import Tensor

# Keras makes an AdamW an instance of a class that updates all weights at once.
_AdamW: Any = type(keras.optimizers.AdamW.__new__(keras.optimizers.AdamW))

# Kinds of devices that torch has a fused update for.
FUSED_ON = ("cuda", "cpu")


class AdamW(_AdamW):
    """Update all weights in one pass over memory, for `SelectiveAdamW`.

    Where torch's fused kernel cannot, one temporary of their size is made, and not Keras' five: on
    CPUs, fresh memory costs more than the arithmetic.
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
        largest = []
        if self.amsgrad:
            largest = [self._velocity_hats[place].value for place in places]
        if _fits_one_kernel(weights, gradients, first, second, largest):
            # The rate is corrected already: of so many steps, the kernel's own correction is 1.
            steps = [torch.full((), 1e9, device=weights[0].device)] * len(weights)
            torch._fused_adamw_(
                weights,
                gradients,
                first,
                second,
                largest,
                steps,
                lr=learning_rate.float(),
                beta1=self.beta_1,
                beta2=self.beta_2,
                weight_decay=0.0,
                eps=self.epsilon,
                amsgrad=self.amsgrad,
                maximize=False,
            )
            return
        torch._foreach_lerp_(first, gradients, 1 - self.beta_1)
        torch._foreach_mul_(second, self.beta_2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - self.beta_2)
        if self.amsgrad:
            torch._foreach_maximum_(largest, second)
            second = largest
        spread = torch._foreach_sqrt(second)
        torch._foreach_add_(spread, self.epsilon)
        torch._foreach_div_(spread, learning_rate)
        torch._foreach_addcdiv_(weights, first, spread, -1)


def _fits_one_kernel(weights: list[Tensor], *others: list[Tensor]) -> bool:
    """Say whether torch's fused AdamW takes these: float32 alike, on a device that has it."""
    form = [(each.device, each.dtype, each.stride()) for each in weights]
    if weights[0].device.type not in FUSED_ON or {dtype for _, dtype, _ in form} != {torch.float32}:
        return False
    return all(
        [(each.device, each.dtype, each.stride()) for each in tensors] == form
        for tensors in others
        if tensors
    )
