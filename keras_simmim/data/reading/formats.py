"""The formats of which no part can be decoded alone: PNG, GIF, BMP and WebP."""

import tensorflow as tf

from keras_simmim.data.reading.headers import header, starts_with, stated_pixels

# Those that Pillow registers for the formats.
EXTENSIONS = (".apng", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp")
TOO_MANY = "more pixels than max_pixels"
DEEP_RANGE = (0.0, 65535.0)  # of the values of 16 bits


def decode_whole(contents: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
    """Decode an image that is no JPEG, 16 bits to 8.

    Args:
        contents: scalar string tensor, the bytes of the file.
        max_pixels: most pixels that its header may state, an int64 scalar.

    Returns:
        A uint8 tensor (height, width, 3); of gray images, three times the same.

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are no intact image of these formats, or of too
            many pixels.
    """
    head = header(contents)
    # TensorFlow 2.21 corrupts its memory on an animated WebP, so none may reach the decoder.
    is_animated = starts_with(head, b"WEBPVP8X", 8) & (tf.bitwise.bitwise_and(head[20], 2) > 0)
    is_bmp = starts_with(head, b"BM")
    # It reads other BMPs wrongly, or says no more than that there are 0 channels.
    is_plain = (head[14] >= 40) & tf.reduce_any(head[28] == [8, 24, 32]) & (head[30] % 3 == 0)
    checks = [
        check(stated_pixels(head) <= max_pixels, TOO_MANY),
        check(~is_animated, "animated WebP is not supported"),
        check(~is_bmp | is_plain, "BMP is supported with 8, 24 or 32 bits, not compressed"),
    ]
    with tf.control_dependencies(checks):
        contents = tf.identity(contents)

    def decode_deep() -> tf.Tensor:
        image = tf.io.decode_png(contents, dtype=tf.uint16)
        return tf.cast(tf.cast(image, tf.float32) * 255.0 / DEEP_RANGE[1] + 0.5, tf.uint8)

    def decode_indexed_bmp() -> tf.Tensor:
        start = 14 + tf.cast(head[14], tf.int32)
        colors = tf.strings.substr(contents, start, 1024)
        palette = tf.reshape(tf.io.decode_raw(colors, tf.uint8, fixed_length=1024), (256, 4))
        return tf.gather(palette[:, 2::-1], tf.cast(tf.io.decode_bmp(contents)[..., 0], tf.int32))

    def decode_plain() -> tf.Tensor:
        return tf.io.decode_image(contents, expand_animations=False)

    is_deep = starts_with(head, b"\x89PNG") & (head[24] == 16)
    which = tf.where(is_deep, 1, tf.where(is_bmp & (head[28] == 8), 2, 0))
    image = tf.switch_case(which, [decode_plain, decode_deep, decode_indexed_bmp])
    return tf.cond(
        tf.shape(image)[-1] < 3,
        lambda: tf.repeat(image[..., :1], 3, axis=-1),
        lambda: image[..., :3],
    )


def check(condition: tf.Tensor, message: str) -> tf.Operation | None:
    """Raise an InvalidArgumentError with the message where the condition is False.

    The one operation, without the branches that `tf.debugging.Assert` puts around it.
    """
    return tf.raw_ops.Assert(condition=condition, data=[message])
