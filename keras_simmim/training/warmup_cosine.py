"""Learning rate schedule: a linear warm-up, then half a cosine."""

import math

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.training.warmup_schedule import WarmupSchedule


@keras.saving.register_keras_serializable("keras_simmim")
class WarmupCosine(WarmupSchedule):
    """Raise the rate linearly, then lower it by a cosine to `minimum_rate` at the last step.

    The cosine spans all steps, not those after the warm-up: where the warm-up ends, the rate
    drops from `base_rate` to where the cosine already is.

    Args:
        base_rate: the rate that the warm-up rises to.
        warmup_rate: the rate of step 0.
        warmup_steps: updates of the warm-up.
        minimum_rate: the rate of `total_steps` and later.
        total_steps: updates of the whole training, at least `warmup_steps` and at least 1.

    Raises:
        ValueError: for arguments out of range.

    Source: `CosineLRScheduler` of timm with `warmup_prefix=False`; see `WarmupSchedule` for which
    update uses which step.

    Example:
    ```python
    import keras_simmim as ks

    schedule = ks.training.WarmupCosine(
        base_rate=1e-3, warmup_rate=1e-6, warmup_steps=10, minimum_rate=1e-5, total_steps=100
    )
    float(schedule(51))   # 0.000505
    ```
    """

    def __init__(
        self,
        base_rate: float,
        warmup_rate: float,
        warmup_steps: int,
        minimum_rate: float,
        total_steps: int,
    ) -> None:
        super().__init__(base_rate, warmup_rate, warmup_steps)
        if minimum_rate < 0:
            raise ValueError(f"minimum_rate must be at least 0, got {minimum_rate!r}.")
        if total_steps < max(warmup_steps, 1):
            raise ValueError(
                f"total_steps must be at least 1 and warmup_steps={warmup_steps}, "
                f"got {total_steps!r}."
            )
        self.minimum_rate = float(minimum_rate)
        self.total_steps = int(total_steps)

    def after_warmup(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two parts of the cosine's rate."""
        left = ops.relu(self.total_steps - step) / self.total_steps
        # (1 + cos(π·step/total)) / 2 without its cancellation near the end, where it is small.
        height = ops.square(ops.sin(math.pi / 2 * left))
        return self.minimum_rate * (1.0 - height), self.base_rate * height

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "minimum_rate": self.minimum_rate,
            "total_steps": self.total_steps,
        }
