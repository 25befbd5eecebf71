"""JPEG and PNG bytes to pixels inside the served graph, exactly as `keras_simmim.data` reads them.

What a stranger sends is checked before it is decoded: the format, and the size that the header
claims, so that a small file cannot ask for gigabytes.
"""

import tensorflow as tf

from keras_simmim.data.geometry.crop_arguments import Crop
from keras_simmim.data.pipeline.cropping import crop_image
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.reading.exif import may_have_exif, stated_orientation
from keras_simmim.data.reading.formats import DEEP_RANGE
from keras_simmim.data.reading.headers import header, starts_with
from keras_simmim.data.reading.orientation import displayed
from keras_simmim.data.reading.pixel_image import PixelImage

Range = tuple[float, float] | None


def decode_batch(
    contents: tf.Tensor, crop: Crop, channels: int, max_pixels: int, value_range: Range = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode images, crop and resize them.

    Gray images become color where the model has three channels, and the reverse; CMYK becomes
    RGB; whatever else `keras_simmim.data` does to a file happens here too.

    Args:
        contents: string tensor (B,), each a JPEG or PNG file.
        crop: what nothing random belongs to, of the size (H, W).
        channels: C of the result, 1 or 3.
        max_pixels: most pixels of an image, before it is resized.
        value_range: values of PNGs of 16 bits that become 0 and 255; files of 8 bits stay as they
            are. None: all are scaled to 8 bits.

    Returns:
        A uint8 tensor (B, H, W, C), or float32 where there is a range, and the heights and widths
        of the images before that, as they are looked at, int32 (B, 2).

    Raises:
        tf.errors.InvalidArgumentError: for what is no such image, or a larger one.
    """

    def decode(item: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        checked = _checked(*item, max_pixels)

        def plain() -> tuple[tf.Tensor, tf.Tensor]:
            image = EncodedImage.open(checked, channels)
            pixels = tf.cast(crop_image(image, crop), kind)
            return pixels, tf.ensure_shape(image.shape, (2,))

        def deep() -> tuple[tf.Tensor, tf.Tensor]:
            image = PixelImage(_scaled(_deep_pixels(checked), channels, value_range))
            return crop_image(image, crop), image.shape[:2]

        if value_range is None:
            return plain()
        head = header(checked)
        return tf.cond(starts_with(head, b"\x89PNG") & (head[24] == 16), deep, plain)

    kind = tf.uint8 if value_range is None else tf.float32
    positions = tf.range(tf.size(contents))
    pixels = tf.TensorSpec((*crop.shape, channels), kind)
    signature = (pixels, tf.TensorSpec((2,), tf.int32))
    return tf.map_fn(decode, (positions, contents), fn_output_signature=signature)


def _deep_pixels(contents: tf.Tensor) -> tf.Tensor:
    """Return the pixels of a PNG of 16 bits, uint16 (height, width, 1 to 4), as it is looked at."""
    has_exif = may_have_exif(contents, "eXIf")
    turn = tf.cond(has_exif, lambda: stated_orientation(contents), lambda: 1)
    return displayed(tf.io.decode_png(contents, dtype=tf.uint16), turn)


def _scaled(stored: tf.Tensor, channels: int, value_range: Range) -> tf.Tensor:
    """Return float32 pixels of 0–255, of so many channels, of uint16 ones without their alpha."""
    low, high = value_range or DEEP_RANGE
    is_gray = tf.shape(stored)[-1] < 3
    values = tf.cast(stored, tf.float32)
    color = tf.cond(is_gray, lambda: tf.repeat(values[..., :1], 3, -1), lambda: values[..., :3])
    if channels == 1:
        luma = tf.round(tf.linalg.matvec(color, tf.constant([0.299, 0.587, 0.114])))[..., None]
        color = tf.cond(is_gray, lambda: color[..., :1], lambda: luma)
    color = tf.ensure_shape(color, (None, None, channels))
    return tf.clip_by_value((color - low) * (255.0 / (high - low)), 0.0, 255.0)


def _checked(position: tf.Tensor, contents: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Return the bytes of one image, once their header says that they may be decoded."""
    length = tf.strings.length(contents)
    is_jpeg = tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff"
    # A PNG's height and width end at its 24th byte.
    is_png = (tf.strings.substr(contents, 0, 8) == b"\x89PNG\r\n\x1a\n") & (length >= 24)
    known = tf.debugging.Assert(
        is_jpeg | is_png,
        ["image_bytes", position, "is not a JPEG or PNG image; its length is", length],
    )
    with tf.control_dependencies([known]):
        contents = tf.identity(contents)

    def png_shape() -> tf.Tensor:
        sides = tf.io.decode_raw(tf.strings.substr(contents, 16, 8), tf.int32, little_endian=False)
        return sides[::-1]

    def jpeg_shape() -> tf.Tensor:
        return tf.image.extract_jpeg_shape(contents)[:2]

    shape = tf.ensure_shape(tf.cond(is_jpeg, jpeg_shape, png_shape), (2,))
    pixels = tf.reduce_prod(tf.cast(shape, tf.int64))
    fits = tf.debugging.Assert(
        tf.reduce_all(shape > 0) & (pixels <= max_pixels),
        [
            "image_bytes",
            position,
            "has height and width",
            shape,
            "but may have",
            max_pixels,
            "pixels",
        ],
    )
    with tf.control_dependencies([fits]):
        return tf.identity(contents)
