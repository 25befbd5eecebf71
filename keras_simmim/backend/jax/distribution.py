"""Begin to train on several devices, and with several processes, on JAX."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np

from keras_simmim.backend.chosen_devices import chosen_devices
from keras_simmim.backend.jax import processes
from keras_simmim.backend.meeting import meet
from keras_simmim.backend.types import Shape


def start(
    devices: int | Sequence[str] | None,
    address: str | None,
    count: int | None,
    index: int | None,
    timeout: float,
) -> tuple[str, tuple[str, ...], int, int]:
    """Join the processes at an address, if there are several, and share batches among devices.

    Args:
        devices: as for `ks.training.distribute`.
        address: "host:port" of process 0; that of JAX_COORDINATOR_ADDRESS if None, or "auto" where
            JAX knows it, on TPUs and under Slurm.
        count: of processes; JAX_NUM_PROCESSES if None.
        index: of this one; JAX_PROCESS_ID if None.
        timeout: seconds to wait for the others.

    Returns:
        The engine, the names of all devices, the number of processes, and of this one.

    Raises:
        ValueError: for devices that cannot be had.
        RuntimeError: if the others do not come, or JAX was used before.
    """
    address = os.environ.get("JAX_COORDINATOR_ADDRESS") if address is None else address
    if address is not None and not jax.distributed.is_initialized():
        count = int(os.environ.get("JAX_NUM_PROCESSES", 0)) or None if count is None else count
        if index is None and "JAX_PROCESS_ID" in os.environ:
            index = int(os.environ["JAX_PROCESS_ID"])
        if address != "auto" and count is not None and index is not None:
            # JAX itself would end the process.
            meet(address, count, index, timeout)
        # Processes that compute on CPUs otherwise see themselves alone.
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # And what they tell each other gets mixed up between computations that run at once.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        jax.distributed.initialize(
            None if address == "auto" else address,
            count,
            index,
            initialization_timeout=int(timeout),
        )
    found = keras.distribution.list_devices()
    chosen = chosen_devices(devices, found)
    if processes.count() > 1 and len(chosen) < len(found):
        raise ValueError(
            f"devices must be None with several processes, which compute on all, got {devices!r}."
        )
    if len(chosen) > 1:
        keras.distribution.set_distribution(SharedBatches(devices=chosen, auto_shard_dataset=False))
    engine = "keras.distribution" if len(chosen) > 1 else "jax"
    return engine, tuple(chosen), processes.count(), processes.index()


class SharedBatches(keras.distribution.DataParallel):
    """Share batches among devices; or hand every device the whole, where they may not divide.

    Keras asks for a layout once, for the first batch, and the last one may be smaller. A step
    shares what was handed over as a whole, if it divides: see `shared`.
    """

    divides = False

    def get_data_layout(self, data_shape: Shape) -> Any:
        """Say how an array of data lies on the devices."""
        if self.divides:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


@contextlib.contextmanager
def batches_of(data: Any, batch_size: int | None) -> Iterator[None]:
    """Train on batches that go to the devices in parts, if all are of one size that divides.

    Args:
        data: as `fit` takes it.
        batch_size: of arrays; 32 if None.
    """
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, SharedBatches):
        yield
        return
    devices = distribution.device_mesh.shape[0] // processes.count()
    sizes = _sizes(data, 32 if batch_size is None else batch_size)
    divides = all(size is not None and size % devices == 0 for size in sizes)
    if processes.count() > 1 and not divides:
        raise ValueError(
            f"batch_size must divide by the {devices * processes.count()} devices, and the last "
            f"batch must be as large as all others (drop_remainder=True): got sizes {sizes} of "
            f"each of {processes.count()} processes."
        )
    with _handed_over(divides):
        yield


@contextlib.contextmanager
def whole_batches() -> Iterator[None]:
    """Hand batches of any sizes to every device as a whole, which then computes all of it."""
    with _handed_over(divides=False):
        yield


@contextlib.contextmanager
def _handed_over(divides: bool) -> Iterator[None]:
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, SharedBatches):
        yield
        return
    before, distribution.divides = distribution.divides, divides
    try:
        yield
    finally:
        distribution.divides = before


def _sizes(data: Any, batch_size: int) -> list[int | None]:
    """List the sizes of the batches, as far as they are known."""
    if hasattr(data, "element_spec"):
        return [keras.tree.flatten(data.element_spec)[0].shape[0]]
    if isinstance(data, keras.utils.PyDataset):
        return [len(keras.tree.flatten(data[index])[0]) for index in (0, len(data) - 1)]
    arrays = keras.tree.flatten(data)
    if not arrays or not hasattr(arrays[0], "shape"):
        return [None]
    count = len(arrays[0])
    return [batch_size, count % batch_size]


def shared(data: Any) -> Any:
    """Let a step compute on parts of a batch, one on each device, where it divides.

    Args:
        data: arrays of the batch, within the step.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return data
    mesh, axis = distribution.device_mesh, distribution.batch_dim_name
    parts = mesh.shape[list(mesh.axis_names).index(axis)]

    def in_parts(array: Any) -> Any:
        if not array.ndim or array.shape[0] % parts:
            return array
        layout = keras.distribution.TensorLayout([axis] + [None] * (array.ndim - 1), mesh)
        return jax.lax.with_sharding_constraint(array, layout.backend_layout)

    return jax.tree.map(in_parts, data)


def own_batches(data: Any) -> Any:
    """Return the data as it is: each process iterates over its own."""
    return data


def check_model(model: Any) -> None:
    """See whether a model was made after the devices were chosen.

    Raises:
        ValueError: for one that was made before.
    """
    devices = device_count()
    if devices > 1 and any(
        len(each.value.sharding.device_set) != devices for each in model.weights
    ):
        raise ValueError(
            f"{type(model).__name__} was made before ks.training.distribute(), and lies on one "
            "device: call distribute() first."
        )


def device_count() -> int:
    """Count the devices that a batch is shared among."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(np.prod(distribution.device_mesh.shape))


def compiles_steps() -> bool:
    """Tell whether a step can be compiled, on however many devices."""
    return True


def saves_together() -> bool:
    """Say whether all processes must save for one to: JAX reads variables together."""
    return processes.count() > 1
