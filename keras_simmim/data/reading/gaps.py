"""Gaps that images leave in a stream where they cannot be read: each is filled or closed.

A graph knows no try, and a data set inside the data set for every image, which would, doubles the
cost of an image. So errors are dropped behind the parallel part, and the positions that are then
missing tell what was dropped. Only chunks of images with a gap in them are seen by Python.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

CHUNK = 16  # images
NOWHERE = -(2**62)  # the position before a stream has begun

Rows = tuple[np.ndarray, ...]


def without_gaps(
    records: tf.data.Dataset,
    load: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]],
    substitute: Callable[[int, int], Rows | None],
    count: int,
    *,
    keeps_places: bool = False,
) -> tf.data.Dataset:
    """Load records, and something else or nothing for each of those that fail.

    Args:
        records: data set of `(record, seed)`; seed is int64 (2,), the seed of the epoch and the
            position in what is read of it; the positions follow each other up to `count - 1`.
        load: from a record and its seed to a tuple of tensors of known shapes.
        substitute: from an epoch's seed and the position of a record that failed to what takes its
            place, a tuple of arrays, or None for nothing.
        count: records in an epoch.
        keeps_places: whether zeros take the place of nothing.

    Returns:
        A data set of what `load` returns, in the order of the positions.
    """

    def loaded(record: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (seed, *load(record, seed))

    intact = records.map(loaded, tf.data.AUTOTUNE)
    specs = intact.element_spec
    blank = [tf.zeros(spec.shape, spec.dtype) for spec in specs[1:]]

    def before(_: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (seed - tf.constant([0, 1], tf.int64), *blank)

    # Gaps at the very beginning and at the end are seen by what lies beyond them.
    beginning = records.take(1).map(before)
    end = tf.data.Dataset.from_tensors((tf.constant([0, count], tf.int64), *blank))
    chunks = beginning.concatenate(intact.ignore_errors()).concatenate(end).batch(CHUNK)

    def follow(last: tf.Tensor, chunk: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, Any]:
        return chunk[0][-1], (last, *chunk)

    def fill(last: np.ndarray, seeds: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
        return filled(last, seeds, columns, substitute, count, keeps_places)

    @tf.autograph.experimental.do_not_convert
    def repair(last: tf.Tensor, seeds: tf.Tensor, *columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
        final, size = seeds[-1, 1], tf.shape(seeds, tf.int64)[0]
        columns = tf.cond(
            (final - last[1] == size) & (final < count),
            lambda: columns,
            lambda: tuple(
                tf.numpy_function(fill, (last, seeds, *columns), [spec.dtype for spec in specs[1:]])
            ),
        )
        return tuple(
            tf.ensure_shape(column, (None, *spec.shape))
            for column, spec in zip(columns, specs[1:], strict=True)
        )

    return chunks.scan(tf.constant([0, NOWHERE], tf.int64), follow).map(repair).unbatch()


def filled(
    last: np.ndarray,
    seeds: np.ndarray,
    columns: Rows,
    substitute: Callable[[int, int], Rows | None],
    count: int,
    keeps_places: bool = False,
) -> list[np.ndarray]:
    """Return the columns of a chunk with its gaps filled or closed.

    Args:
        last: seed of the row before the chunk, int64 (2,).
        seeds: seeds of the rows, int64 (rows, 2).
        columns: what `load` returned, each (rows, ...).
        substitute: as in `without_gaps`.
        count: records in an epoch.
        keeps_places: as there.
    """
    blank = tuple(np.zeros(column.shape[1:], column.dtype) for column in columns)
    if last[1] == NOWHERE:
        last, seeds, columns = seeds[0], seeds[1:], tuple(column[1:] for column in columns)
    epoch_seed, next_position = int(last[0]), int(last[1]) + 1
    row_of = {int(position): row for row, position in enumerate(seeds[:, 1])}
    rows = []
    for position in range(next_position, min(max(row_of, default=-1) + 1, count)):
        row = row_of.get(position)
        found = (
            substitute(epoch_seed, position)
            if row is None
            else tuple(column[row] for column in columns)
        )
        if found is not None:
            rows.append(found)
        elif keeps_places:
            rows.append(blank)
    return [
        np.array([row[place] for row in rows], column.dtype).reshape(-1, *column.shape[1:])
        for place, column in enumerate(columns)
    ]
