"""What each user chose, one thing after another, as a source."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.rows import batched_rows
from keras_simmim.data.sources.interactions import Interactions


def histories(
    users: Any,
    items: Any,
    times: Any,
    length: int = 50,
    batch_size: int = 128,
    *,
    features: Mapping[str, Any] | None = None,
    held_out: int = 0,
    stride: int | None = None,
    training: bool = True,
    seed: int = 0,
    epoch: int = 0,
    first_batch: int = 0,
    drop_remainder: bool | None = None,
    shard: int | None = None,
    shards: int | None = None,
) -> tf.data.Dataset:
    """Batch the items of each user in order of time.

    A row is one user's last `length` items, the earliest first, padded with 0 on the right; with a
    `stride`, further rows hold the earlier ones. Users with a single item teach nothing and are
    left out.

    Args:
        users: who, numbers or texts (M,), one of each interaction, in any order.
        items: what, integers (M,) of at least 1.
        times: when, numbers or dates (M,). Interactions of one user at the same time stay in the
            order in which they are given.
        length: most items of a row, L.
        batch_size: rows in a batch, over all shards.
        features: what else is known of each interaction, by name: integers (M,) of at least 1.
        held_out: how many of the last items of a user with at least `held_out` + 2 items are not
            shown; users with fewer are shown whole. 2 leaves out what `ks.data.leave_one_out`
            validates and tests on.
        stride: by how many items each row of a user ends before the next, from 1 to `length` − 1,
            until all items are in some row; None for one row a user, without the earlier items.
        training: True for a new order of the rows in every epoch, False for that of the users'
            sorted names, each user's earliest row first.
        seed: of the order.
        epoch: number of the first iteration over the data set; each further one is the next epoch.
        first_batch: with which batch of its epoch the first iteration begins, to go on where an
            interrupted run stopped.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless it
            is the only one.
        shard: which of `shards` contiguous slices of each batch is given, from 0, where several
            processes share the work; both None: in training that of this process among those which
            train together, otherwise the whole, as `ks.data.SourceArguments` says.
        shards: how many slices a batch is cut into, a divisor of `batch_size`.

    Returns:
        A `tf.data.Dataset` of int32 batches (batch, L), or with F features (batch, L, 1 + F), the
        item first. It has the attributes `users`, those of the rows of `training=False`;
        `example_count`, their number; `left_out`, the number of users with a single item;
        `truncated`, that of the users whose earlier items are in no row; `feature_names` (list or
        None); and `shard_index` and `shards`. They are of all rows, whatever the shard.

    Raises:
        ValueError: for arrays of different lengths or other types, items or features below 1, no
            user with two items, an argument out of bounds, or arguments that contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    import keras_simmim as ks

    users, items, times = [7, 8, 7, 7, 9], [5, 6, 4, 3, 2], [30, 10, 10, 20, 40]
    dataset = ks.data.histories(users, items, times, length=4)
    next(iter(dataset)).numpy().tolist(), dataset.left_out   # ([[4, 3, 5, 0]], 2)
    ```
    """
    length = arguments.as_integer("length", length, minimum=2)
    hidden = arguments.as_integer("held_out", held_out, minimum=0)
    given = Interactions.from_arrays(users, items, times, features)
    if stride is not None:
        stride = arguments.as_integer("stride", stride, minimum=1)
        if stride >= length:
            raise ValueError(f"stride must be below length={length}, got {stride}.")
    chosen = np.flatnonzero(given.counts >= 2)
    if not len(chosen):
        raise ValueError(
            f"users must have at least one with two items, got {len(given.users)} with one each."
        )
    counts = given.counts[chosen]
    shown = np.where(counts >= hidden + 2, counts - hidden, counts)
    truncated = int(np.sum(shown > length)) if stride is None else 0
    if stride is not None:
        rows = 1 + -(-np.maximum(shown - length, 0) // stride)
        later = np.concatenate([np.arange(count)[::-1] for count in rows])
        chosen, shown = np.repeat(chosen, rows), np.repeat(shown, rows) - stride * later
    dataset = batched_rows(
        given.last(chosen, shown, length),
        None,
        batch_size,
        training=training,
        seed=seed,
        epoch=epoch,
        first_batch=first_batch,
        drop_remainder=drop_remainder,
        shard=shard,
        shards=shards,
        examples="rows",
    )
    dataset.users = given.users[chosen]
    dataset.left_out = int(np.sum(given.counts < 2))
    dataset.truncated = truncated
    dataset.feature_names = given.feature_names
    return dataset
