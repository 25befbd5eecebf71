"""Begin to train on several devices, and with several processes, on TensorFlow."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_simmim.backend.chosen_devices import chosen_devices
from keras_simmim.backend.meeting import meet
from keras_simmim.backend.tensorflow import processes


def start(
    devices: int | Sequence[str] | None,
    address: str | None,
    count: int | None,
    index: int | None,
    timeout: float,
) -> tuple[str, tuple[str, ...], int, int]:
    """Join the workers of TF_CONFIG, if there are several, or share batches among devices.

    Args:
        devices: as for `ks.training.distribute`.
        address: None: TF_CONFIG has the addresses of all.
        count: None, likewise.
        index: None, likewise.
        timeout: seconds to wait for the others.

    Returns:
        The engine, the names of all devices, the number of processes, and of this one.

    Raises:
        ValueError: for devices that cannot be had, or an address.
        RuntimeError: if the others do not come, or TensorFlow was used before.
    """
    for name, value in (("address", address), ("processes", count), ("index", index)):
        if value is not None:
            raise ValueError(f"{name} must be None on TensorFlow, which has TF_CONFIG: {value!r}.")
    told = json.loads(os.environ.get("TF_CONFIG", "{}"))
    cluster = told.get("cluster", {})
    if sum(len(addresses) for addresses in cluster.values()) > 1:
        if devices is not None:
            raise ValueError(
                f"devices must be None with the workers of TF_CONFIG, got {devices!r}."
            )
        tasks = processes.workers(cluster)
        own_task = (told["task"]["type"], int(told["task"]["index"]))
        if own_task not in tasks:
            raise ValueError(f"the task of TF_CONFIG must be one of {tasks}, got {own_task}.")
        kind, number = tasks[0]
        meet(cluster[kind][number], len(tasks), tasks.index(own_task), timeout)
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=timeout)
        strategy: Any = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    else:
        found = [each.name.removeprefix("/device:") for each in _all()]
        chosen = chosen_devices(devices, found)
        if len(chosen) == 1:
            return "tensorflow", tuple(chosen), 1, 0
        strategy = tf.distribute.MirroredStrategy(chosen)
    tf.distribute.experimental_set_strategy(strategy)
    own = strategy.extended.worker_devices
    names = tuple(own) * processes.count()
    return f"tf.distribute.{type(strategy).__name__}", names, processes.count(), processes.index()


def _all() -> list[Any]:
    """List the accelerators, or the CPUs if there are none."""
    return tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")


def whole_batches() -> contextlib.AbstractContextManager[None]:
    """Do nothing: batches of any size are shared among replicas."""
    return contextlib.nullcontext()


def check_model(model: Any) -> None:
    """See whether a model was made after the devices were chosen.

    Raises:
        ValueError: for one that was made before.
    """
    if device_count() == 1:
        return
    kind = tf.distribute.DistributedValues
    if not all(isinstance(each.value, kind) for each in model.weights):
        raise ValueError(
            f"{type(model).__name__} was made before ks.training.distribute(), and lies on one "
            "device: call distribute() first."
        )


def own_batches(data: Any) -> Any:
    """Let a worker iterate over what it was given, and share that among its replicas.

    `fit` would cut the data for the workers once more.
    """
    if processes.count() == 1:
        return data
    strategy = tf.distribute.get_strategy()
    each = len(strategy.extended.worker_devices)
    if isinstance(data, keras.utils.PyDataset):
        data = _as_dataset(data)
    if each > 1:
        data = data.unbatch().batch(keras.tree.flatten(data.element_spec)[0].shape[0] // each)
    return strategy.distribute_datasets_from_function(lambda _: data)


def _as_dataset(data: keras.utils.PyDataset) -> tf.data.Dataset:
    """Make a `tf.data.Dataset` of the batches of a `PyDataset`."""

    def batches() -> Iterator[Any]:
        for number in range(len(data)):
            yield data[number]
        data.on_epoch_end()

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), data[0]
    )
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(data)))


def device_count() -> int:
    """Count the devices that a batch is shared among."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def compiles_steps() -> bool:
    """Tell whether a step can be compiled: XLA has no messages between replicas."""
    return device_count() == 1


def saves_together() -> bool:
    """Say whether all processes must save for one to: workers add metrics up to read them."""
    return processes.count() > 1
