"""What JAX computes on."""

import jax

from keras_simmim.backend.types import Tensor


def device_names() -> list[str]:
    """List the accelerators by their makers' names, or ["CPU"]."""
    names = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return names or ["CPU"]


def first_example(batch_size: Tensor | int) -> int:
    """Return the number of this device's first example: 0, as a sharded array is one batch."""
    return 0


def mean_over_replicas(value: Tensor) -> Tensor:
    """Return the tensor: a sharded array is one batch to the program, not several replicas."""
    return value


def sum_over_replicas(value: Tensor) -> Tensor:
    """Return the tensor: a sharded array is one batch to the program, not several replicas."""
    return value


def all_examples(value: Tensor) -> Tensor:
    """Return the tensor: a sharded array has the rows of all devices."""
    return value


def own_examples(values: list[Tensor], batch_size: Tensor | int) -> list[Tensor]:
    """Return the tensors: a sharded array is one batch to the program, not several replicas."""
    return values


def examples_of_metrics(value: Tensor) -> Tensor:
    """Return what a metric is given: a sharded array has the rows of all devices."""
    return value
