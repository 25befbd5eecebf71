"""The stage that all sources share: number the images, crop, batch, count, prefetch."""

from typing import Any

import tensorflow as tf

from keras_simmim.data.geometry.apply_crop import apply_crop
from keras_simmim.data.geometry.draw_crop import draw_crop
from keras_simmim.data.pipeline.cropping import crop_repeatedly
from keras_simmim.data.pipeline.numbered import numbered
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source import Source


def batched(source: Source, plan: Plan) -> tf.data.Dataset:
    """Batch one epoch of a source, a different one at every iteration in training.

    Args:
        source: the images.
        plan: what becomes of them.

    Returns:
        The data set. Its `epochs` are those of the plan; `class_names` and `image_count` are what
        the source says.

    Raises:
        ValueError: if `drop_remainder` would leave nothing, the epoch has no first batch of that
            number, or several crops are asked for where each would need targets of its own.
    """
    epochs, batch_size = plan.epochs, plan.batch_size
    drop = plan.drops_remainder(source.count)
    if plan.crops > 1 and source.targets.follow_crop:
        raise ValueError(f"crops must be 1 where there are masks or boxes, got {plan.crops}.")

    @tf.autograph.experimental.do_not_convert
    def seeded(epoch_seed: tf.Tensor, left_out: tf.Tensor) -> tf.data.Dataset:
        def with_seed(position: tf.Tensor, record: Any) -> tuple[Any, tf.Tensor]:
            return record, tf.stack([epoch_seed, position])

        records = source.records(epochs, epoch_seed).enumerate()
        if epochs.first_batch:
            records = records.skip(left_out * batch_size)
        return records.map(with_seed)

    @tf.autograph.experimental.do_not_convert
    def load(record: Any, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = source.open_image(record)
        drawn = draw_crop(plan.crop, image.shape, seed)
        if plan.crops == 1:
            pixels = apply_crop(drawn, image.part(drawn.box))
        else:
            pixels = crop_repeatedly(image, plan.crop, plan.crops, seed)
        return (pixels, *source.targets.of_crop(record, image.shape, drawn))

    images = source.load_all(epochs.start().flat_map(seeded), load, epochs)
    batches = images.batch(batch_size, drop_remainder=drop)
    batches = batches.map(tf.autograph.experimental.do_not_convert(source.targets.join))
    batch_count = None
    if source.count is not None and source.is_exact:
        batch_count = plan.batch_count(source.count)
    dataset = numbered(batches, epochs, batch_count)
    dataset.class_names = source.class_names
    dataset.image_count = source.count
    return dataset
