"""What a server answers with: a network's outputs, and what strangers can read of them.

- "class_map_bytes": the classes of the pixels as PNG files. TF Serving's REST interface sends as
  base64 what ends in "_bytes", and all other strings as text.
- "classes": the names of the columns of "probabilities".
- "names": those of "labels", empty where a label of −1 pads.
- "boxes": in pixels of the image that was sent, and its "size".
"""

from collections.abc import Sequence

import tensorflow as tf

Outputs = dict[str, tf.Tensor]


def answer(
    wanted: Sequence[str],
    outputs: Outputs,
    sizes: tf.Tensor,
    image_size: tuple[int, int],
    class_names: list[str] | None,
) -> Outputs:
    """Give what a signature answers with.

    Args:
        wanted: its names.
        outputs: of the network, by name.
        sizes: heights and widths of the images that were sent, int32 (B, 2).
        image_size: height and width of what the network saw, in pixels.
        class_names: by class, None where there are none.

    Returns:
        The wanted tensors, in which the batch comes first.
    """
    made = {
        "class_map_bytes": lambda: _class_maps(outputs["probabilities"]),
        "classes": lambda: tf.tile(tf.constant([class_names]), [tf.shape(sizes)[0], 1]),
        "names": lambda: _names(outputs["labels"], class_names or []),
        "boxes": lambda: _in_sent_pixels(outputs["boxes"], sizes, image_size),
        "size": lambda: sizes,
    }
    return {name: made[name]() if name in made else outputs[name] for name in wanted}


def _class_maps(probabilities: tf.Tensor) -> tf.Tensor:
    """Return a gray PNG (B,) of the most probable class of every pixel (B, H, W, K)."""
    kind = tf.uint8 if probabilities.shape[-1] <= 256 else tf.uint16
    maps = tf.cast(tf.argmax(probabilities, axis=-1), kind)[..., None]
    return tf.map_fn(tf.io.encode_png, maps, fn_output_signature=tf.TensorSpec((), tf.string))


def _names(labels: tf.Tensor, class_names: list[str]) -> tf.Tensor:
    """Return the names (B, K) of labels (B, K)."""
    rows = tf.where(labels < 0, len(class_names), labels)
    return tf.gather(tf.constant([*class_names, ""]), rows)


def _in_sent_pixels(boxes: tf.Tensor, sizes: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Return boxes (B, K, 4) in pixels of images that were squeezed to `image_size`."""
    enlargement = tf.cast(sizes, tf.float32) / tf.constant(image_size, tf.float32)
    return boxes * tf.gather(enlargement, [1, 0, 1, 0], axis=1)[:, None]
