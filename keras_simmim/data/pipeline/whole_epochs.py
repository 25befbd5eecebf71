"""The length of an epoch, said by data whose first one is cut short."""

import tensorflow as tf

from keras_simmim.data.pipeline.epochs import Epochs
from keras_simmim.data.pipeline.origin import has_all_batches


def with_whole_epochs(dataset: tf.data.Dataset, epochs: Epochs) -> tf.data.Dataset:
    """Let data that begin in the middle of an epoch say how many batches a whole one has.

    Keras asks once, before the first epoch. What `ks.data` returns says it by itself; what `map`,
    `shuffle` or `prefetch` made of that does not.

    Args:
        dataset: made of a data set of `ks.data`.
        epochs: of that data set, with a first batch.

    Returns:
        The same batches.

    Raises:
        ValueError: if another number of batches was made of it.
    """
    if not has_all_batches(dataset, "epochs"):
        raise ValueError(
            f"first_batch={epochs.first_batch} needs an epoch's batches as ks.data gives them: "
            "take, skip, repeat, cache, filter and batch change what a whole epoch is."
        )
    whole = dataset.with_options(tf.data.Options())
    whole.cardinality = lambda: tf.constant(epochs.batch_count, tf.int64)
    return whole
