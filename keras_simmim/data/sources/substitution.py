"""What takes the place of images that cannot be read."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_simmim.data.pipeline.epoch_part import EpochPart
from keras_simmim.data.pipeline.source import Load
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.gaps import without_gaps


def with_substitutes(
    records: tf.data.Dataset,
    load: Load,
    part: EpochPart,
    broken: BrokenFiles,
    *,
    order: Callable[[int], np.ndarray],
    record_of: Callable[[int], Any],
    training: bool,
    check: Callable[[], None] | None = None,
) -> tf.data.Dataset:
    """Load records, and something else or nothing for the broken ones, as `Source.load_all` says.

    Args:
        records: data set of `(record, place)`.
        load: how to load one.
        part: which records they are.
        broken: all images, and which of them are broken.
        order: from the seed of an epoch to the indices in `broken` of the part's records.
        record_of: from an index to its record.
        training: whether another image takes the place of a broken one.
        check: raises what ended the records too early.

    Returns:
        A data set of what `load` returns.
    """
    order_of = functools.lru_cache(maxsize=2)(order)

    def substitute(epoch_seed: int, number: int) -> tuple[np.ndarray, ...] | None:
        if check is not None:
            check()
        index = int(order_of(epoch_seed)[number])
        broken.record(index)
        if not training:
            return None
        with tf.device("CPU:0"):
            for other in broken.substitutes(index):
                try:
                    parts = load(record_of(other), tf.constant([epoch_seed, number]))
                    return tuple(part.numpy() for part in parts)
                except (tf.errors.OpError, OSError, ValueError):
                    broken.record(other)
        return None

    return without_gaps(records, load, substitute, part.length or 0, keeps_places=part.is_cut)
