"""Encoded images to pixels: JPEG, PNG, GIF, BMP and WebP, told apart by their first bytes."""

import functools
from typing import NamedTuple

import tensorflow as tf

from keras_simmim.data.geometry.boxes import cut
from keras_simmim.data.graphs import apart
from keras_simmim.data.reading.exif import may_have_exif, stated_orientation, webp_has_exif
from keras_simmim.data.reading.formats import TOO_MANY, check, decode_whole
from keras_simmim.data.reading.headers import header, starts_with
from keras_simmim.data.reading.orientation import displayed, displayed_shape, stored_box

_ALL = 2**31 - 1  # pixels of a side, of which no image has more
_LARGE = 2**20  # pixels of a box from which on it may be decoded smaller
MAX_PIXELS = 2**30 // 6  # 178,956,970: half a GiB of color, and Pillow's limit


class EncodedImage(NamedTuple):
    """Give parts of an image file, of which a JPEG is decoded inside them alone.

    JPEGs, PNGs and WebPs are turned as their EXIF says, which in a JPEG is any segment in front of
    the pixels, and else a chunk anywhere in the file; what XMP says of it is ignored, as browsers
    ignore it. Animations give their first frame (an animated WebP is refused), 16-bit PNGs are
    scaled to 8 bits, alpha is dropped as Pillow's `convert("RGB")` drops it. CMYK and YCCK are
    converted without a color profile.

    Attributes:
        contents: scalar string tensor, the bytes of the file.
        channels: 1 for gray, 3 for color; the other kind of image is converted.
        shape: height and width of the image as it is looked at, int32 (2,).
        is_plain: whether it is a JPEG that can be decoded in part and is not turned.
        turn: the orientation, 1 to 8, of what is not plain.
        decoded: pixels of what cannot be decoded in part, as they are stored; otherwise empty.
    """

    contents: tf.Tensor
    channels: int
    shape: tf.Tensor
    is_plain: tf.Tensor
    turn: tf.Tensor
    decoded: tf.Tensor

    @classmethod
    def open(
        cls, contents: tf.Tensor, channels: int, max_pixels: int = MAX_PIXELS
    ) -> "EncodedImage":
        """Read an image's header, and decode the image if no part of it can be decoded alone.

        Args:
            contents: scalar string tensor, the bytes of the file.
            channels: 1 for gray, 3 for color.
            max_pixels: most pixels that the file's header may state.

        Returns:
            The image.

        Raises:
            tf.errors.InvalidArgumentError: if the bytes are no image of these formats, or of too
                many pixels.
        """
        is_jpeg, can_crop = _kind(contents)
        limit = tf.constant(max_pixels, tf.int64)
        is_plain, shape, turn, decoded = tf.cond(
            tf.cond(can_crop, lambda: ~may_have_exif(contents, "Exif"), lambda: False),
            lambda: (True, _jpeg_shape(contents, max_pixels), 1, _no_pixels()),
            lambda: tf.cond(
                is_jpeg,
                lambda: _open_jpeg(contents, limit),
                lambda: _open_whole(contents, limit),
            ),
        )
        return cls(contents, channels, shape, is_plain, turn, decoded)

    @classmethod
    def of_pixels(cls, pixels: tf.Tensor, contents: tf.Tensor, channels: int) -> "EncodedImage":
        """Return an image that was decoded elsewhere.

        Args:
            pixels: uint8 tensor (height, width, 3), as it is looked at.
            contents: scalar string tensor, the bytes of the file, which is no JPEG.
            channels: 1 for gray, 3 for color.
        """
        shape, turn = tf.shape(pixels)[:2], tf.constant(1)
        return cls(contents, channels, shape, tf.constant(False), turn, pixels)

    def part(self, box: tf.Tensor, size: tuple[int, int] | None = None) -> tf.Tensor:
        """Return the pixels in a box, uint8 (height, width, channels).

        A box of a JPEG of more than a million pixels is decoded at a half, a quarter or an eighth
        of its size where `size` asks for so few pixels, as Pillow's `draft` does it.

        Args:
            box: int32 tensor `[top, left, height, width]` in the image as it is looked at.
            size: height and width to which the pixels are resized; None for all of the box.

        Raises:
            tf.errors.InvalidArgumentError: if the file is damaged.
        """
        least = _ALL if size is None else max(size)
        pixels = tf.cond(
            self.is_plain,
            lambda: _decode_part(self.contents, box, least),
            lambda: _turned_part(
                self.contents, self.decoded, box, self.shape, self.turn, tf.constant(least)
            ),
        )
        pixels = tf.ensure_shape(pixels, (None, None, 3))
        return _luma(pixels) if self.channels == 1 else pixels


def _kind(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return whether it is a JPEG, and a JPEG with its end mark."""
    starts = tf.minimum([0, -2], tf.strings.length(contents))
    found = tf.strings.substr(contents, starts, [3, 2]) == [b"\xff\xd8\xff", b"\xff\xd9"]
    # A box above the cut of a truncated JPEG would decode: without the end mark, read it all.
    return found[0], tf.reduce_all(found)


def _no_pixels() -> tf.Tensor:
    """Return an image without pixels, for what is decoded later."""
    return tf.zeros((0, 0, 3), tf.uint8)


def _jpeg_shape(contents: tf.Tensor, max_pixels: int | tf.Tensor) -> tf.Tensor:
    """Return height and width, int32 (2,), as the header of a JPEG states them."""
    shape = tf.image.extract_jpeg_shape(contents)[:2]
    pixels = tf.cast(shape[0], tf.int64) * tf.cast(shape[1], tf.int64)
    with tf.control_dependencies([check(pixels <= tf.cast(max_pixels, tf.int64), TOO_MANY)]):
        return tf.identity(shape)


def _decode_part(contents: tf.Tensor, box: tf.Tensor, least: int | tf.Tensor) -> tf.Tensor:
    """Decode a box of a JPEG as it is stored, with no side below `least` pixels for that alone.

    Returns:
        A uint8 tensor (height, width, 3), of the box's size or smaller.
    """
    return tf.cond(
        box[2] * box[3] >= _LARGE,
        lambda: _decode_reduced(contents, box, tf.convert_to_tensor(least)),
        lambda: _decode_scaled(contents, box, 1),
    )


def _decode_scaled(contents: tf.Tensor, box: tf.Tensor, divisor: int) -> tf.Tensor:
    """Decode a box of a JPEG, which counts pixels of the image divided by 1, 2, 4 or 8."""
    # The slower of the two transforms is Pillow's; the difference in time cannot be measured.
    return tf.image.decode_and_crop_jpeg(
        contents, box, 3, ratio=divisor, dct_method="INTEGER_ACCURATE"
    )


@apart(tf.TensorSpec((), tf.string), tf.TensorSpec((4,), tf.int32), tf.TensorSpec((), tf.int32))
def _decode_reduced(contents: tf.Tensor, box: tf.Tensor, least: tf.Tensor) -> tf.Tensor:
    """Decode a box of a JPEG, divided by as much as leaves `least` pixels of both sides."""

    def decode(divisor: int) -> tf.Tensor:
        first, last = ((ends + divisor // 2) // divisor for ends in (box[:2], box[:2] + box[2:]))
        return _decode_scaled(contents, tf.concat([first, last - first], axis=0), divisor)

    times = tf.reduce_min(box[2:]) // least
    power = tf.reduce_sum(tf.cast(times >= [2, 4, 8], tf.int32))
    return tf.switch_case(power, [functools.partial(decode, divisor) for divisor in (1, 2, 4, 8)])


@apart(tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64))
def _open_jpeg(
    contents: tf.Tensor, max_pixels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return whether a JPEG is plain after all, its shape, its turn and its decoded pixels."""
    _, can_crop = _kind(contents)
    shape, turn = _jpeg_shape(contents, max_pixels), stated_orientation(contents)
    with tf.control_dependencies([shape]):
        encoded = tf.identity(contents)
    decoded = tf.cond(
        can_crop,
        _no_pixels,
        lambda: tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE"),
    )
    return can_crop & (turn == 1), displayed_shape(shape, turn), turn, decoded


@apart(tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64))
def _open_whole(
    contents: tf.Tensor, max_pixels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return False, the shape, the turn and the decoded pixels of what is no JPEG."""
    head = header(contents)
    decoded = decode_whole(contents, max_pixels)
    has_exif = tf.cond(
        starts_with(head, b"\x89PNG"),
        lambda: may_have_exif(contents, "eXIf"),
        lambda: webp_has_exif(head),
    )
    turn = tf.cond(has_exif, lambda: stated_orientation(contents), lambda: 1)
    return tf.constant(False), displayed_shape(tf.shape(decoded)[:2], turn), turn, decoded


@apart(
    tf.TensorSpec((), tf.string),
    tf.TensorSpec((None, None, 3), tf.uint8),
    tf.TensorSpec((4,), tf.int32),
    tf.TensorSpec((2,), tf.int32),
    tf.TensorSpec((), tf.int32),
    tf.TensorSpec((), tf.int32),
)
def _turned_part(
    contents: tf.Tensor,
    decoded: tf.Tensor,
    box: tf.Tensor,
    shape: tf.Tensor,
    turn: tf.Tensor,
    least: tf.Tensor,
) -> tf.Tensor:
    """Return the pixels in a box of what is no plain JPEG, turned as it is looked at."""
    stored = stored_box(box, shape, turn)
    _, can_crop = _kind(contents)
    pixels = tf.cond(
        can_crop,
        lambda: _decode_part(contents, stored, least),
        lambda: cut(decoded, stored),
    )
    return displayed(pixels, turn)


def _luma(color: tf.Tensor) -> tf.Tensor:
    """Return the gray image (height, width, 1) of a color image, both uint8."""
    weights = tf.constant([0.299, 0.587, 0.114])
    gray = tf.linalg.matvec(tf.cast(color, tf.float32), weights)
    return tf.cast(tf.round(gray), tf.uint8)[..., None]
