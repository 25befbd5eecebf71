"""What `fit` sees to where several processes train together: one model, one set of data."""

import json
import zlib
from typing import Any

import keras
import numpy as np

from keras_simmim.backend import distribution, processes
from keras_simmim.backend.types import Config
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.data.pipeline.shard import Shard


def join_processes(model: Any, arguments: Config) -> None:
    """Let a `fit` of this process be one of all: its part of the data, and the first's weights.

    Args:
        model: compiled.
        arguments: of `fit`, by name; arrays become this process' part of each batch.

    Raises:
        ValueError: for another model or other data than another process has, data of `ks.data`
            that are not cut, or a batch size that does not divide.
    """
    distribution.check_model(model)
    count, index = processes.count(), processes.index()
    x, size = arguments["x"], arguments["batch_size"] or 32
    if index == 0 and arguments["verbose"]:
        _tell(x, size, distribution.device_count())
    if count == 1:
        return
    content = 0
    if all(isinstance(each, np.ndarray) for each in keras.tree.flatten(x)):
        parts = [arguments.pop(name, None) for name in ("x", "y", "sample_weight")]
        arguments |= {"y": None, "sample_weight": None, "batch_size": None}
        content = _checksum(keras.tree.flatten(parts))
        shard = Shard.from_arguments(None, None, batch_size=size, training=True)
        first_epoch = arguments.get("initial_epoch", 0)
        arguments["x"] = x = OwnRows(parts, size, bool(arguments["shuffle"]), shard, first_epoch)
        arguments["shuffle"] = False
    shards = origin(x, "shards")
    if shards is not None and shards != count:
        raise ValueError(
            f"x must be cut for {count} processes, got a data set of {shards}: make it after "
            "ks.training.distribute(), or with shard= and shards=."
        )
    batches = _length(x)
    config = json.dumps(keras.saving.serialize_keras_object(model), default=str)
    own = [zlib.crc32(config.encode()) >> 1, content, batches]
    for other, found in enumerate(processes.gathered(own)):
        for what, here, there in zip(("model", "x", "batches of x"), own, found, strict=True):
            if here != there:
                raise ValueError(
                    f"{what} must be the same in all processes, but process {other} has others "
                    f"than process {index}: {there} and {here} (checksums, or how many)."
                )
    processes.share_weights([*model.variables, *model.optimizer.variables])
    if index:
        arguments["verbose"] = 0


class OwnRows(keras.utils.PyDataset):
    """Give one process' rows of each batch of arrays, in the same order in all processes.

    The incomplete last batch is left out, unless it is the only one.

    Args:
        arrays: images, labels and weights, each an array or a dictionary of arrays, the last ones
            None where there are none.
        batch_size: rows of a batch of all processes.
        shuffles: whether every epoch has an order of its own.
        shard: which rows of each batch.
        epoch: number of the first epoch.
    """

    def __init__(
        self, arrays: list[Any], batch_size: int, shuffles: bool, shard: Shard, epoch: int = 0
    ) -> None:
        super().__init__()
        while arrays[-1] is None:
            arrays = arrays[:-1]
        self.arrays = keras.tree.map_structure(_as_array, arrays)
        self.rows = len(keras.tree.flatten(arrays[0])[0])
        self.batch_size, self.shuffles = batch_size, shuffles
        self.shard, self.epoch = shard, epoch
        self._order()

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return max(self.rows // self.batch_size, 1)

    def __getitem__(self, number: int) -> Any:
        """Give this process' part of a batch."""
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        first, last = self.shard.bounds(len(chosen))
        chosen = chosen[first:last]
        rows = keras.tree.map_structure(
            lambda each: None if each is None else each[chosen], self.arrays
        )
        parts = tuple(rows)
        return parts if len(parts) > 1 else parts[0]

    def on_epoch_end(self) -> None:
        """Take the next epoch's order."""
        self.epoch += 1
        self._order()

    def _order(self) -> None:
        self.order = np.arange(self.rows)
        if self.shuffles:
            np.random.default_rng([0, self.epoch]).shuffle(self.order)


def _tell(data: Any, batch_size: int, devices: int) -> None:
    """Say how many examples of a batch each of several devices gets, where that is known."""
    if hasattr(data, "element_spec"):
        own = keras.tree.flatten(data.element_spec)[0].shape[0]
        batch_size = (own or 0) * (origin(data, "shards") or 1)
    elif not hasattr(data, "shape"):
        return
    if devices > 1 and batch_size:
        print(f"Batches of {batch_size} on {devices} devices: {batch_size / devices:g} on each.")


def _as_array(given: Any) -> np.ndarray | None:
    return None if given is None else np.asarray(given)


def _checksum(arrays: list[Any]) -> int:
    """Sum up arrays, of which some may be None, in a number below 2³¹."""
    total = 0
    for array in arrays:
        if array is not None:
            total = zlib.crc32(np.ascontiguousarray(array).tobytes(), total)
    return total >> 1


def _length(data: Any) -> int:
    """Count the batches of an epoch; −1 where that is not known."""
    if hasattr(data, "element_spec"):
        return max(int(data.cardinality()), -1)
    return len(data) if hasattr(data, "__len__") else -1
