"""Encoded images to pixels: JPEG, PNG, GIF, BMP and WebP, told apart by their first bytes."""

from collections.abc import Callable

import tensorflow as tf

from keras_simmim.data.geometry.boxes import cut
from keras_simmim.data.reading.graphs import apart
from keras_simmim.data.reading.headers import header, starts_with, stated_pixels
from keras_simmim.data.reading.orientation import (
    EXIF_STARTS,
    displayed,
    displayed_shape,
    exif_orientation,
    stored_box,
)

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
TOO_MANY = "more pixels than max_pixels"
MAX_PIXELS = 2**30 // 6  # 178,956,970: half a GiB of colour, and Pillow's limit

# The shape as it is looked at, the orientation, and the pixels of what is not cropped in decoding.
Stored = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def decode_box(
    contents: tf.Tensor,
    box_of: Callable[[tf.Tensor], tf.Tensor],
    channels: int,
    max_pixels: int = MAX_PIXELS,
) -> tf.Tensor:
    """Decodes the part of an image that lies in a box.

    A JPEG is turned as its EXIF says, where the standard places it: at the file's start or behind
    the JFIF header. Animations give their first frame (an animated WebP is refused), 16-bit PNGs
    are scaled to 8 bits, alpha is dropped as Pillow's `convert("RGB")` drops it. CMYK and YCCK are
    converted without a colour profile.

    Args:
        contents: scalar string tensor, the bytes of the file.
        box_of: function from the image's shape to a box `[top, left, height, width]`.
        channels: 1 for grey, 3 for colour; the other kind of image is converted.
        max_pixels: most pixels that the file's header may state.

    Returns:
        A uint8 tensor (box height, box width, channels).

    Raises:
        tf.errors.InvalidArgumentError: if the bytes are no intact image of these formats, or of too
            many pixels.
    """
    crops, _, has_exif = _kind(contents)
    is_plain = crops & ~has_exif

    def plain_header() -> Stored:
        return _jpeg_shape(contents, max_pixels), tf.constant(1), tf.zeros((0, 0, 3), tf.uint8)

    shape, turn, whole = tf.cond(
        is_plain,
        plain_header,
        lambda: _other_header(contents, tf.constant(max_pixels, tf.int64)),
    )
    box = box_of(shape)
    image = tf.cond(
        is_plain,
        lambda: _crop(contents, box),
        lambda: _turned_part(contents, whole, box, shape, turn),
    )
    image = tf.ensure_shape(image, (None, None, 3))
    return _luma(image) if channels == 1 else image


def _kind(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns whether it is a JPEG with its end mark, a JPEG, and a JPEG with EXIF."""
    starts = tf.minimum([0, *EXIF_STARTS, -2], tf.strings.length(contents))
    marks = tf.strings.substr(contents, starts, [3, 4, 4, 2])
    found = marks == [b"\xff\xd8\xff", b"Exif", b"Exif", b"\xff\xd9"]
    # A box above the cut of a truncated JPEG would decode: without the end mark, read it all.
    return found[0] & found[3], found[0], found[0] & (found[1] | found[2])


def _jpeg_shape(contents: tf.Tensor, max_pixels: int | tf.Tensor) -> tf.Tensor:
    shape = tf.image.extract_jpeg_shape(contents)[:2]
    with tf.control_dependencies([_limit(shape[0], shape[1], max_pixels)]):
        return tf.identity(shape)


def _crop(contents: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    # The slower of the two transforms is Pillow's; the difference in time cannot be measured.
    return tf.image.decode_and_crop_jpeg(contents, box, 3, dct_method="INTEGER_ACCURATE")


@apart(tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64))
def _other_header(contents: tf.Tensor, max_pixels: tf.Tensor) -> Stored:
    crops, is_jpeg, has_exif = _kind(contents)

    def of_jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        shape = _jpeg_shape(contents, max_pixels)
        with tf.control_dependencies([shape]):
            encoded = tf.identity(contents)
        return shape, tf.cond(
            crops,
            lambda: tf.zeros((0, 0, 3), tf.uint8),
            lambda: tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE"),
        )

    def of_others() -> tuple[tf.Tensor, tf.Tensor]:
        whole = _whole(contents, max_pixels)
        return tf.shape(whole)[:2], whole

    shape, whole = tf.cond(is_jpeg, of_jpeg, of_others)
    turn = tf.cond(has_exif, lambda: exif_orientation(contents), lambda: 1)
    return displayed_shape(shape, turn), turn, whole


@apart(
    tf.TensorSpec((), tf.string),
    tf.TensorSpec((None, None, 3), tf.uint8),
    tf.TensorSpec((4,), tf.int32),
    tf.TensorSpec((2,), tf.int32),
    tf.TensorSpec((), tf.int32),
)
def _turned_part(
    contents: tf.Tensor, whole: tf.Tensor, box: tf.Tensor, shape: tf.Tensor, turn: tf.Tensor
) -> tf.Tensor:
    place = stored_box(box, shape, turn)
    crops = _kind(contents)[0]
    return displayed(
        tf.cond(crops, lambda: _crop(contents, place), lambda: cut(whole, place)), turn
    )


def _whole(contents: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
    head = header(contents)
    # TensorFlow 2.21 corrupts its memory on an animated WebP, so none may reach the decoder.
    is_animated = starts_with(head, b"WEBPVP8X", 8) & (tf.bitwise.bitwise_and(head[20], 2) > 0)
    is_bmp = starts_with(head, b"BM")
    # It reads other BMPs wrongly, or says no more than that there are 0 channels.
    is_plain = (head[14] >= 40) & tf.reduce_any(head[28] == [8, 24, 32]) & (head[30] % 3 == 0)
    checks = [
        _limit(stated_pixels(head), 1, max_pixels),
        _assert(~is_animated, "animated WebP is not supported"),
        _assert(~is_bmp | is_plain, "BMP is supported with 8, 24 or 32 bits, not compressed"),
    ]
    with tf.control_dependencies(checks):
        contents = tf.identity(contents)

    def deep() -> tf.Tensor:
        image = tf.io.decode_png(contents, dtype=tf.uint16)
        return tf.cast((tf.cast(image, tf.int32) + 128) // 257, tf.uint8)

    def indexed_bmp() -> tf.Tensor:
        start = 14 + tf.cast(head[14], tf.int32)
        colours = tf.strings.substr(contents, start, 1024)
        palette = tf.reshape(tf.io.decode_raw(colours, tf.uint8, fixed_length=1024), (256, 4))
        return tf.gather(palette[:, 2::-1], tf.cast(tf.io.decode_bmp(contents)[..., 0], tf.int32))

    def plain() -> tf.Tensor:
        return tf.io.decode_image(contents, expand_animations=False)

    is_deep = starts_with(head, b"\x89PNG") & (head[24] == 16)
    which = tf.where(is_deep, 1, tf.where(is_bmp & (head[28] == 8), 2, 0))
    image = tf.switch_case(which, [plain, deep, indexed_bmp])
    return tf.cond(
        tf.shape(image)[-1] < 3,
        lambda: tf.repeat(image[..., :1], 3, axis=-1),
        lambda: image[..., :3],
    )


def _limit(height: tf.Tensor, width: tf.Tensor, max_pixels: int | tf.Tensor) -> tf.Operation:
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return _assert(pixels <= tf.cast(max_pixels, tf.int64), TOO_MANY)


def _assert(condition: tf.Tensor, message: str) -> tf.Operation | None:
    # The one operation, without the branches that `tf.debugging.Assert` puts around it.
    return tf.raw_ops.Assert(condition=condition, data=[message])


def _luma(colour: tf.Tensor) -> tf.Tensor:
    weights = tf.constant([0.299, 0.587, 0.114])
    grey = tf.linalg.matvec(tf.cast(colour, tf.float32), weights)
    return tf.cast(tf.round(grey), tf.uint8)[..., None]
