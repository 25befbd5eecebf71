"""A running mean that does not pretend to have seen something."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class TrackedMean(keras.metrics.Mean):
    """Average what a run logs; NaN where nothing was averaged.

    Keras' mean over nothing is 0, which as a loss would be the best that there is.

    Args:
        name: of the log.
        **kwargs: of `keras.metrics.Mean`.

    Example:
    ```python
    from keras_simmim.training.tracked_mean import TrackedMean

    mean = TrackedMean("loss")
    mean.update_state(2.0, sample_weight=0.0)
    float(mean.result())   # nan
    ```
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Tensor:
        """Return the mean so far."""
        # A constant, on torch, would wait for an accelerator; 0/0 is NaN as well.
        return ops.cast(self.total, self.dtype) / ops.cast(self.count, self.dtype)
