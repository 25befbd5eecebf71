"""Base of learning rate schedules with a warm-up, by the official code's count of updates."""

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Raise the rate linearly, then let a subclass set it in `after_warmup`.

    The official loop asks its scheduler for the rate of step k after update number k, so that
    update number k, counted from 0, uses the rate of step max(k − 1, 0): the first two updates
    have the rate of step 0. This does the same.

    Layer-wise rates multiply `base_rate` alone: the rate from which the warm-up starts and the
    one at which a cosine ends are the same for all layers. Hence the two `parts` of a rate.

    Args:
        base_rate: the rate at the end of the warm-up.
        warmup_rate: the rate of step 0.
        warmup_steps: updates until `base_rate`; 0 for no warm-up.

    Raises:
        ValueError: for a rate below 0 or fewer than 0 steps.

    Source: `CosineLRScheduler` of timm 0.4.12, the last version whose arguments are those of the
    official code, and `MultiStepLRScheduler` and the loop of github.com/microsoft/SimMIM.
    """

    def __init__(self, base_rate: float, warmup_rate: float, warmup_steps: int) -> None:
        for name, value in (
            ("base_rate", base_rate),
            ("warmup_rate", warmup_rate),
            ("warmup_steps", warmup_steps),
        ):
            if value < 0:
                raise ValueError(f"{name} must be at least 0, got {value!r}.")
        self.base_rate = float(base_rate)
        self.warmup_rate = float(warmup_rate)
        self.warmup_steps = int(warmup_steps)

    def __call__(self, step: Tensor | int) -> Tensor:
        """Return the rate of the update that follows `step` updates: a float32 scalar."""
        fixed, scaled = self.parts(step)
        return fixed + scaled

    def parts(self, step: Tensor | int) -> tuple[Tensor, Tensor]:
        """Split the rate into what all layers share, and what a layer's multiplier applies to.

        Args:
            step: updates before this one, an integer scalar.

        Returns:
            Two float32 scalars, whose sum is the rate.
        """
        step = ops.relu(ops.cast(step, "float32") - 1.0)
        share = step / max(self.warmup_steps, 1)
        fixed, scaled = self.after_warmup(step)
        warming = step < self.warmup_steps
        return (
            ops.where(warming, self.warmup_rate * (1.0 - share), ops.zeros_like(step) + fixed),
            ops.where(warming, self.base_rate * share, scaled),
        )

    def after_warmup(self, step: Tensor) -> tuple[Tensor | float, Tensor]:
        """Return the two `parts` of the rate of a step after the warm-up, a float32 scalar."""
        raise NotImplementedError

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            "base_rate": self.base_rate,
            "warmup_rate": self.warmup_rate,
            "warmup_steps": self.warmup_steps,
        }
