"""Which of several processes this is, on TensorFlow: the workers of `tf.distribute`."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def count() -> int:
    """Return the number of processes that train together; 1 alone."""
    cluster = _cluster()
    return len(workers(cluster)) if cluster else 1


def index() -> int:
    """Return the number of this process among them, from 0."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    cluster = _cluster()
    return workers(cluster).index((resolver.task_type, resolver.task_id)) if cluster else 0


def gathered(numbers: Sequence[int]) -> list[list[int]]:
    """Return the numbers that each process has, below 2³¹; all must ask."""
    if count() == 1:
        return [list(numbers)]
    strategy = tf.distribute.get_strategy()
    rows = strategy.run(lambda: tf.constant([list(numbers)], tf.int32))
    each = len(strategy.extended.worker_devices)
    return strategy.gather(rows, axis=0).numpy()[::each].tolist()


def wait() -> None:
    """Wait until all processes are here."""
    gathered([0])


def share_weights(variables: Sequence[Any]) -> None:
    """Do nothing: the strategy gives all workers the first values that worker 0 has."""


def workers(cluster: dict[str, list[str]]) -> list[tuple[str, int]]:
    """List the tasks of a cluster that compute, the chief first, as TensorFlow numbers them."""
    kinds = ("chief", "worker")
    return [(kind, number) for kind in kinds for number in range(len(cluster.get(kind, ())))]


def _cluster() -> dict[str, list[str]]:
    """Return the addresses by the kind of a task, of a strategy of several workers."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    return resolver.cluster_spec().as_dict() if resolver is not None else {}
