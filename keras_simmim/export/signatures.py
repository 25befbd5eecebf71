"""The graph that a server runs for images: its signatures, their names, and what they take."""

from collections.abc import Sequence

import tensorflow as tf

from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.export.answers import Outputs, answer
from keras_simmim.export.decoding import decode_batch
from keras_simmim.export.traced import save, traced
from keras_simmim.models.backbone_model import BackboneModel


def takes_bytes(channels: int) -> bool:
    """Say whether a model can take encoded images, which have one channel or three."""
    return channels in (1, 3)


def write_signatures(
    model: BackboneModel,
    path: str,
    crop: Crop,
    class_names: list[str] | None,
    max_pixels: int,
    jit_compile: bool = False,
) -> None:
    """Write the SavedModel of what a model says that it answers with.

    Args:
        model: on the TensorFlow backend.
        path: of the new folder.
        crop: what the model sees of an encoded image.
        class_names: by class, None where there are none.
        max_pixels: most pixels of an encoded image.
        jit_compile: whether XLA compiles the network where it runs; never what decodes.
    """
    image_shape, taken = model.backbone.image_shape, model.inputs_taken
    pixels = tf.TensorSpec((None, *image_shape), taken.served_dtype, name="images")
    contents = tf.TensorSpec((None,), tf.string, name="image_bytes")

    def forward(images: tf.Tensor) -> Outputs:
        # A server does not compare what it is sent with the signature.
        images = tf.ensure_shape(images, pixels.shape)
        return model.exported(tf.cast(images, tf.float32))

    # One graph that all signatures call: the file holds it once.
    run = traced(forward, pixels, jit_compile)

    def of_pixels(names: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        def call(images: tf.Tensor) -> Outputs:
            sizes = tf.tile(tf.constant([image_shape[:2]]), [tf.shape(images)[0], 1])
            outputs = run(taken.from_values(images))
            return answer(names, outputs, sizes, image_shape[:2], class_names)

        return traced(call, pixels)

    def of_bytes(names: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        def call(image_bytes: tf.Tensor) -> Outputs:
            options = (crop, image_shape[-1], max_pixels, model.value_range)
            images, sizes = decode_batch(image_bytes, *options)
            return answer(names, run(images), sizes, image_shape[:2], class_names)

        return traced(call, contents)

    has_bytes = takes_bytes(image_shape[-1])
    functions = {
        signature: (of_bytes if has_bytes and signature != "images" else of_pixels)(names)
        for signature, names in model.signatures.items()
    }
    save(path, run, functions)
