"""The last stage of every source: batches that count as epochs, and say how many an epoch has."""

import tensorflow as tf

from keras_simmim.data.pipeline.epochs import Epochs


def numbered(batches: tf.data.Dataset, epochs: Epochs, batch_count: int | None) -> tf.data.Dataset:
    """Prefetch batches, and count their iterations as epochs.

    Args:
        batches: of one epoch, a different one at every iteration in training.
        epochs: the numbering of the iterations.
        batch_count: of a whole epoch; None where it is not known.

    Returns:
        The same batches, with `epochs`.

    Raises:
        ValueError: if the epoch has no first batch of that number.
    """
    if epochs.first_batch:
        _check_first_batch(epochs.first_batch, batch_count)
    elif batch_count is not None:
        batches = batches.apply(tf.data.experimental.assert_cardinality(batch_count))
    dataset = epochs.count(batches.prefetch(tf.data.AUTOTUNE), batch_count)
    # The thread that tunes an iterator can miss that it is to end, and the end of an epoch then
    # waits for it, for seconds. Without it, too, as many images are read at a time as there are
    # cores.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    if epochs.first_batch:
        # The iterations differ in length; Keras asks once, and needs that of a whole epoch.
        dataset.cardinality = lambda: tf.constant(batch_count, tf.int64)
    dataset.epochs = epochs
    return dataset


def _check_first_batch(first_batch: int, batch_count: int | None) -> None:
    """Raise a ValueError where an epoch has no such batch."""
    if batch_count is None:
        raise ValueError(f"first_batch={first_batch} needs a known number of batches an epoch.")
    if first_batch >= batch_count:
        raise ValueError(
            f"first_batch must be below {batch_count}, the batches of an epoch, got {first_batch}."
        )
