"""Encoded images to pixels: JPEG, PNG, GIF, BMP and WebP, told apart by their first bytes."""

from collections.abc import Callable

import tensorflow as tf

from keras_simmim.data.boxes import cut

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def decode_box(
    contents: tf.Tensor, box_of: Callable[[tf.Tensor], tf.Tensor], channels: int
) -> tf.Tensor:
    """Decodes the part of an image that lies in a box.

    Animations give their first frame (an animated WebP is refused), 16-bit PNGs are scaled to
    8 bits, alpha is dropped as Pillow's `convert("RGB")` drops it, EXIF rotations are ignored.

    Args:
        contents: scalar string tensor, the bytes of the file.
        box_of: function from the image's shape to a box `[top, left, height, width]`.
        channels: 1 for grey, 3 for colour; the other kind of image is converted.

    Returns:
        A uint8 tensor (box height, box width, channels).

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are no intact image of these formats.
    """
    # A box above the cut of a truncated JPEG would decode: without the end mark, read it all.
    is_jpeg = _bytes(contents, 0, 3) == b"\xff\xd8\xff"
    is_complete = _bytes(contents, -2, 2) == b"\xff\xd9"
    crops = is_jpeg & is_complete

    def header() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.image.extract_jpeg_shape(contents), tf.zeros((0, 0, 3), tf.uint8)

    def pixels() -> tuple[tf.Tensor, tf.Tensor]:
        image = _whole(contents)
        return tf.shape(image), image

    def crop() -> tf.Tensor:
        # The slower of the two transforms is Pillow's; the difference in time cannot be measured.
        return tf.image.decode_and_crop_jpeg(contents, box, 3, dct_method="INTEGER_ACCURATE")

    shape, whole = tf.cond(crops, header, pixels)
    box = box_of(shape)
    image = tf.cond(crops, crop, lambda: cut(whole, box))
    image = tf.ensure_shape(image, (None, None, 3))
    return _luma(image) if channels == 1 else image


def _whole(contents: tf.Tensor) -> tf.Tensor:
    # TensorFlow 2.21 corrupts its memory on an animated WebP, so none may reach the decoder.
    is_extended_webp = _bytes(contents, 8, 8) == b"WEBPVP8X"
    flags = tf.io.decode_raw(_bytes(contents, 20, 1), tf.uint8)
    is_animated = is_extended_webp & tf.reduce_any(tf.bitwise.bitwise_and(flags, 2) > 0)
    check = tf.debugging.Assert(~is_animated, ["animated WebP is not supported"])
    with tf.control_dependencies([check] if check is not None else []):
        contents = tf.identity(contents)

    def deep() -> tf.Tensor:
        image = tf.io.decode_png(contents, dtype=tf.uint16)
        return tf.cast((tf.cast(image, tf.int32) + 128) // 257, tf.uint8)

    is_deep = (_bytes(contents, 0, 4) == b"\x89PNG") & (_bytes(contents, 24, 1) == b"\x10")
    image = tf.cond(is_deep, deep, lambda: tf.io.decode_image(contents, expand_animations=False))
    return tf.cond(
        tf.shape(image)[-1] < 3,
        lambda: tf.repeat(image[..., :1], 3, axis=-1),
        lambda: image[..., :3],
    )


def _bytes(contents: tf.Tensor, start: int, count: int) -> tf.Tensor:
    # substr fails on a start beyond the end, which only a broken file has.
    start = tf.minimum(start, tf.strings.length(contents))
    return tf.strings.substr(contents, start, count)


def _luma(colour: tf.Tensor) -> tf.Tensor:
    weights = tf.constant([0.299, 0.587, 0.114])
    grey = tf.linalg.matvec(tf.cast(colour, tf.float32), weights)
    return tf.cast(tf.round(grey), tf.uint8)[..., None]
