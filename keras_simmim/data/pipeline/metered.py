"""A data set that counts its images and the seconds for which it was waited for."""

import tensorflow as tf

from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.pipeline.origin import origin


class Meter:
    """Count what went through a metered data set since it was made.

    Args:
        shards: parts of each batch, of which this process has one and the images of all count.
    """

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards
        with tf.init_scope(), tf.device("CPU:0"):
            self._images = tf.Variable(0, trainable=False, dtype=tf.int64, name="images")
            self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64, name="seconds")

    @property
    def images(self) -> int:
        """Return the number of images that were handed out."""
        return int(self._images.numpy())

    @property
    def seconds(self) -> float:
        """Return the seconds that whoever asked for a batch had to wait for it."""
        return float(self._seconds.numpy())

    def note(self, before: tf.Tensor, batch: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
        """Return a batch once it is counted, which was asked for and came at these times."""
        images = tf.shape(tf.nest.flatten(batch)[0], out_type=tf.int64)[0]
        self._seconds.assign_add(after - before)
        self._images.assign_add(images * self.shards)
        return batch


def metered(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Count the images of a data set, and the time for which training waits for them.

    The clock is read inside the data set, before it is asked for a batch and when it has one, and
    so the measure is the same on every backend, although TensorFlow takes batches inside its
    compiled step, JAX inside the step's call, and torch between two. What is prepared while the
    network computes costs no time. On an accelerator that computes while the host goes on, this
    is the host's waiting, an upper bound of the accelerator's.

    Args:
        dataset: a `tf.data.Dataset` of batches.

    Returns:
        The same batches; `meter.images` and `meter.seconds` are the counts so far, with those of
        a look at the first batch that `fit` may take.

    Raises:
        TypeError: for anything but a `tf.data.Dataset`.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.zeros((8, 9, 9, 3), "uint8")
    dataset = ks.data.metered(ks.data.from_arrays(images, batch_size=4))
    batches = list(dataset)
    dataset.meter.images, dataset.meter.seconds > 0   # (8, True)
    ```
    """
    leave_gpu_to_backend()
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(f"dataset must be a tf.data.Dataset, got {type(dataset).__name__}.")
    meter = Meter(origin(dataset, "shards") or 1)
    # `zip` asks its sources one after the other.
    clock = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
    result = tf.data.Dataset.zip((clock, dataset, clock)).map(
        tf.autograph.experimental.do_not_convert(meter.note)
    )
    # A prefetch that TensorFlow adds behind the clocks would wait instead of training.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    result = result.with_options(options)
    # What `ks.data` says about its data sets: their classes, number of images, …
    for name, value in vars(dataset).items():
        if not name.startswith("_"):
            setattr(result, name, value)
    result.meter = meter
    return result
