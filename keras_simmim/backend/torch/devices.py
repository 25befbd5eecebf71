"""What torch computes on."""

import torch

from keras_simmim.backend.types import Tensor


def device_names() -> list[str]:
    """List the accelerators by their makers' names, or ["CPU"]."""
    count = torch.cuda.device_count()
    return [torch.cuda.get_device_name(index) for index in range(count)] or ["CPU"]


def first_example(batch_size: Tensor | int) -> int:
    """Return the number of this process' first example: 0, as Keras trains in one process."""
    return 0


def mean_over_replicas(value: Tensor) -> Tensor:
    """Return the tensor: Keras trains in one process on torch."""
    return value
