"""Learning rate schedule: a linear warm-up, then a constant that drops at milestones."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_simmim.backend.types import Config, Tensor
from keras_simmim.training.warmup_schedule import WarmupSchedule


@keras.saving.register_keras_serializable("keras_simmim")
class WarmupMilestones(WarmupSchedule):
    """Raise the rate linearly to `base_rate`, then multiply it by `factor` at every milestone.

    Args:
        base_rate: the rate that the warm-up rises to.
        warmup_rate: the rate of step 0.
        warmup_steps: updates of the warm-up.
        milestones: the first steps of each lower rate; none before the end of the warm-up.
        factor: of the rate at each milestone.

    Raises:
        ValueError: for arguments out of range.

    Source: `MultiStepLRScheduler` of github.com/microsoft/SimMIM; see `WarmupSchedule` for which
    update uses which step.

    Example:
    ```python
    import keras_simmim as ks

    schedule = ks.training.WarmupMilestones(
        base_rate=1e-3, warmup_rate=1e-6, warmup_steps=10, milestones=(50,)
    )
    float(schedule(51))   # 0.0001
    ```
    """

    def __init__(
        self,
        base_rate: float,
        warmup_rate: float,
        warmup_steps: int,
        milestones: Sequence[int],
        factor: float = 0.1,
    ) -> None:
        super().__init__(base_rate, warmup_rate, warmup_steps)
        if any(milestone < warmup_steps for milestone in milestones):
            raise ValueError(
                f"milestones must be at least warmup_steps={warmup_steps}, got {milestones!r}."
            )
        if factor < 0:
            raise ValueError(f"factor must be at least 0, got {factor!r}.")
        self.milestones = tuple(int(milestone) for milestone in milestones)
        self.factor = float(factor)

    def after_warmup(self, step: Tensor) -> tuple[float, Tensor]:
        """Return the two parts of the rate since the last milestone."""
        rate = ops.ones_like(step) * self.base_rate
        for milestone in self.milestones:
            rate = ops.where(step < milestone, rate, rate * self.factor)
        return 0.0, rate

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "milestones": list(self.milestones),
            "factor": self.factor,
        }
