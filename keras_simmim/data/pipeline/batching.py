"""The stage that all sources share: number the images, load them, batch, count, prefetch."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.epochs import Epochs


def batched(
    records_of: Callable[[tf.Tensor], tf.data.Dataset],
    load: Callable[[tf.data.Dataset], tf.data.Dataset],
    epochs: Epochs,
    *,
    batch_size: int,
    drop_remainder: bool | None,
    image_count: int | None,
    is_exact: bool = True,
) -> tf.data.Dataset:
    """Returns the batches of one epoch, a different one at every iteration in training.

    Args:
        records_of: from the int64 seed of an epoch to its records, one an image, in order.
        load: from a data set of `(record, seed)`, seed int64 (2,), to one of views.
        epochs: the numbering of the iterations.
        batch_size: images in a batch.
        drop_remainder: whether an incomplete last batch is left out; None: in training, unless
            it is the only one.
        image_count: images in an epoch, None if that is not known.
        is_exact: False if fewer than `image_count` may come.

    Returns:
        The data set. Its `epochs` are those given.

    Raises:
        ValueError: if `drop_remainder` would leave nothing, or the epoch has no first batch of
            that number.
    """
    batch_size = arguments.as_integer("batch_size", batch_size, minimum=1)
    drop = _drop_remainder(drop_remainder, epochs.training, batch_size, image_count)

    @tf.autograph.experimental.do_not_convert
    def numbered(epoch_seed: tf.Tensor, left_out: tf.Tensor) -> tf.data.Dataset:
        def with_seed(position: tf.Tensor, record: Any) -> tuple[Any, tf.Tensor]:
            return record, tf.stack([epoch_seed, position])

        records = records_of(epoch_seed).enumerate()
        if epochs.first_batch:
            records = records.skip(left_out * batch_size)
        return records.map(with_seed)

    views = load(epochs.start().flat_map(numbered))
    batches = views.batch(batch_size, drop_remainder=drop)
    batch_count = None
    if image_count is not None and is_exact:
        batch_count = image_count // batch_size if drop else -(-image_count // batch_size)
    if epochs.first_batch:
        _check_first_batch(epochs.first_batch, batch_count)
    elif batch_count is not None:
        batches = batches.apply(tf.data.experimental.assert_cardinality(batch_count))
    dataset = epochs.count(batches.prefetch(tf.data.AUTOTUNE), batch_count)
    if epochs.first_batch:
        # The iterations differ in length; Keras asks once, and needs that of a whole epoch.
        dataset.cardinality = lambda: tf.constant(batch_count, tf.int64)
    dataset.epochs = epochs
    return dataset


def _check_first_batch(first_batch: int, batch_count: int | None) -> None:
    if batch_count is None:
        raise ValueError(f"first_batch={first_batch} needs a known number of batches an epoch.")
    if first_batch >= batch_count:
        raise ValueError(
            f"first_batch must be below {batch_count}, the batches of an epoch, got {first_batch}."
        )


def _drop_remainder(
    drop_remainder: bool | None, training: bool, batch_size: int, image_count: int | None
) -> bool:
    is_one_partial_batch = image_count is not None and image_count < batch_size
    if drop_remainder is None:
        return training and not is_one_partial_batch
    if arguments.as_flag("drop_remainder", drop_remainder) and is_one_partial_batch:
        raise ValueError(
            f"drop_remainder=True would drop all {image_count} images: "
            f"batch_size must be at most {image_count}, got {batch_size}."
        )
    return drop_remainder
