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
    is_jpeg = _bytes(contents, 0, 3) == b"\xff\xd8\xff"
    image = tf.cond(
        is_jpeg,
        lambda: _jpeg(contents, box_of, channels),
        lambda: _cut(_whole(contents, channels), box_of),
    )
    return tf.ensure_shape(image, (None, None, channels))


def _whole(contents: tf.Tensor, channels: int) -> tf.Tensor:
    head = _bytes(contents, 0, 4)
    formats = (
        (head == b"\x89PNG", lambda: _png(contents, channels)),
        (head == b"GIF8", lambda: _as_channels(tf.io.decode_gif(contents)[0], channels)),
        (_bytes(contents, 0, 2) == b"BM", lambda: _bmp(contents, channels)),
        (head + _bytes(contents, 8, 4) == b"RIFFWEBP", lambda: _webp(contents, channels)),
        # The rest is refused in TensorFlow's own words.
        (tf.constant(True), lambda: tf.io.decode_png(contents, channels)),
    )
    first = tf.argmax(tf.stack([matches for matches, _ in formats]), output_type=tf.int32)
    return tf.switch_case(first, [decode for _, decode in formats])


def _cut(image: tf.Tensor, box_of: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    return cut(image, box_of(tf.shape(image)))


def _bytes(contents: tf.Tensor, start: int, count: int) -> tf.Tensor:
    # substr fails on a start beyond the end, which only a broken file has.
    start = tf.minimum(start, tf.strings.length(contents))
    return tf.strings.substr(contents, start, count)


def _jpeg(
    contents: tf.Tensor, box_of: Callable[[tf.Tensor], tf.Tensor], channels: int
) -> tf.Tensor:
    box = box_of(tf.image.extract_jpeg_shape(contents))
    # The slower one of the two transforms is Pillow's, and the difference is not to be measured.
    options = {"channels": 3, "dct_method": "INTEGER_ACCURATE"}
    # A box above the cut of a truncated file would decode: without its end mark, read it all.
    image = tf.cond(
        tf.strings.substr(contents, -2, 2) == b"\xff\xd9",
        lambda: tf.image.decode_and_crop_jpeg(contents, box, **options),
        lambda: cut(tf.io.decode_jpeg(contents, **options), box),
    )
    return _luma(image) if channels == 1 else image


def _png(contents: tf.Tensor, channels: int) -> tf.Tensor:
    def deep() -> tf.Tensor:
        image = tf.io.decode_png(contents, channels, dtype=tf.uint16)
        return tf.cast((tf.cast(image, tf.int32) + 128) // 257, tf.uint8)

    is_deep = _bytes(contents, 24, 1) == b"\x10"
    return tf.cond(is_deep, deep, lambda: tf.io.decode_png(contents, channels))


def _bmp(contents: tf.Tensor, channels: int) -> tf.Tensor:
    return _as_channels(tf.io.decode_bmp(contents), channels)


def _webp(contents: tf.Tensor, channels: int) -> tf.Tensor:
    # TensorFlow 2.21 corrupts its memory on an animation, so none may reach the decoder.
    flags = tf.io.decode_raw(_bytes(contents, 20, 1), tf.uint8)
    is_extended = _bytes(contents, 12, 4) == b"VP8X"
    is_animated = is_extended & tf.reduce_any(tf.bitwise.bitwise_and(flags, 2) > 0)
    check = tf.debugging.Assert(~is_animated, ["animated WebP is not supported"])
    with tf.control_dependencies([check] if check is not None else []):
        return _as_channels(tf.io.decode_webp(tf.identity(contents))[0], channels)


def _as_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    is_grey = tf.shape(image)[-1] < 3
    grey = image[..., :1]
    colour = image[..., :3]
    if channels == 3:
        return tf.cond(is_grey, lambda: tf.repeat(grey, 3, axis=-1), lambda: colour)
    return tf.cond(is_grey, lambda: grey, lambda: _luma(colour))


def _luma(colour: tf.Tensor) -> tf.Tensor:
    weights = tf.constant([0.299, 0.587, 0.114])
    return tf.cast(tf.round(tf.linalg.matvec(tf.cast(colour, tf.float32), weights)), tf.uint8)[
        ..., None
    ]
