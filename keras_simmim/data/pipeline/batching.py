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
        The data set. Its `epochs`, `shard_index` and `shards` are those of the plan; `class_names`
        and `image_count` are what the source says.

    Raises:
        ValueError: if `drop_remainder` would leave nothing, the epoch has no first batch of that
            number, several crops are asked for where each would need targets of its own, or shards
            of what has no known number of images.
    """
    epochs, part = plan.epochs, plan.part(source.count)
    # Places that stay empty, so that the batches of all shards end at the same images.
    keeps_places = part.is_cut and not source.is_exact
    if plan.crops > 1 and source.targets.follow_crop:
        raise ValueError(f"crops must be 1 where there are masks or boxes, got {plan.crops}.")

    @tf.autograph.experimental.do_not_convert
    def seeded(epoch_seed: tf.Tensor, left_out: tf.Tensor) -> tf.data.Dataset:
        def with_place(number: tf.Tensor, record: Any) -> tuple[Any, tf.Tensor]:
            return record, tf.stack([epoch_seed, number])

        records = source.records(epochs, epoch_seed, part).enumerate()
        if epochs.first_batch:
            records = records.skip(left_out * part.size)
        return records.map(with_place)

    @tf.autograph.experimental.do_not_convert
    def load(record: Any, place: tf.Tensor) -> tuple[tf.Tensor, ...]:
        seed = tf.stack([place[0], part.position(place[1])]) if part.is_cut else place
        image = source.open_image(record)
        drawn = draw_crop(plan.crop, image.shape, seed)
        if plan.crops == 1:
            pixels = apply_crop(drawn, image.part(drawn.box, drawn.size))
        else:
            pixels = crop_repeatedly(image, plan.crop, plan.crops, seed)
        columns = (pixels, *source.targets.of_crop(record, image.shape, drawn))
        return (*columns, tf.constant(True)) if keeps_places else columns

    @tf.autograph.experimental.do_not_convert
    def join(*columns: tf.Tensor) -> Any:
        if keeps_places:
            columns = tuple(tf.boolean_mask(column, columns[-1]) for column in columns[:-1])
        return source.targets.join(*columns)

    images = source.load_all(epochs.start().flat_map(seeded), load, epochs, part)
    batches = part.batched(images).map(join)
    batch_count = None
    if source.count is not None and (source.is_exact or keeps_places):
        batch_count = plan.batch_count(source.count)
    dataset = numbered(batches, epochs, batch_count)
    dataset.class_names = source.class_names
    dataset.image_count = source.count
    dataset.shard_index, dataset.shards = plan.shard.index, plan.shard.count
    return dataset
