"""The graph that a server runs: its signatures, their names, and the files of a SavedModel."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_simmim.export.decoding import decode_batch

Outputs = dict[str, tf.Tensor]


def takes_bytes(channels: int) -> bool:
    """Say whether a model can take encoded images, which have one channel or three."""
    return channels in (1, 3)


def write_signatures(
    network: keras.Model, path: str, class_names: list[str] | None, max_pixels: int
) -> None:
    """Write the SavedModel of a network, with its signatures.

    Args:
        network: from `network`, on the TensorFlow backend.
        path: of the new folder.
        class_names: of the probabilities' columns, None without a classifier.
        max_pixels: most pixels of an encoded image.
    """
    image_shape = tuple(network.input_shape[1:])
    pixels = tf.TensorSpec((None, *image_shape), tf.uint8, name="images")
    contents = tf.TensorSpec((None,), tf.string, name="image_bytes")

    def forward(images: tf.Tensor) -> Outputs:
        # A server does not compare what it is sent with the signature.
        images = tf.ensure_shape(images, pixels.shape)
        return network(tf.cast(images, tf.float32), training=False)

    # One graph that all signatures call: the file holds it once.
    run = _traced(forward, pixels)

    def answer(images: tf.Tensor) -> Outputs:
        outputs = run(images)
        if class_names is None:
            return outputs
        names = tf.tile(tf.constant([class_names]), [tf.shape(images)[0], 1])
        return {"probabilities": outputs["probabilities"], "classes": names}

    def embed(images: tf.Tensor) -> Outputs:
        return {"embedding": run(images)["embedding"]}

    def of_bytes(
        function: Callable[[tf.Tensor], Outputs],
    ) -> tf.types.experimental.ConcreteFunction:
        return _traced(
            lambda image_bytes: function(decode_batch(image_bytes, image_shape, max_pixels)),
            contents,
        )

    has_bytes = takes_bytes(image_shape[-1])
    images = _traced(answer, pixels)
    signatures = {
        "serving_default": of_bytes(answer) if has_bytes else images,
        "images": images,
        "embed": of_bytes(embed) if has_bytes else _traced(embed, pixels),
    }
    module = tf.Module()
    # What the graph reads, and nothing else: no optimizer, no head that only trains.
    module.weights = list(run.graph.variables)
    tf.saved_model.save(module, path, signatures=signatures)


def _traced(
    function: Callable[[tf.Tensor], Outputs], specification: tf.TensorSpec
) -> tf.types.experimental.ConcreteFunction:
    # XLA may be missing in the server.
    traced = tf.function(function, [specification], autograph=False, jit_compile=False)
    return traced.get_concrete_function()
