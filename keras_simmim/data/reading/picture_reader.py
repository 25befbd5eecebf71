"""Files that TensorFlow's own readers do not read, or not as they were asked for."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.reading.picture import Picture, UnfitError
from keras_simmim.data.reading.pixel_image import PixelImage
from keras_simmim.data.reading.read_picture import is_encoded, read_picture
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.reading.value_scale import as_bytes, scaled

WINDOW, TYPE, PERCENTILES = "window", "dtype", "percentiles"


class PictureReader:
    """Read files by Python, as pixels of 0–255: uint8, or float32 where a range of values is given.

    Args:
        channels: which channels.
        value_range: values that become 0 and 255; "window" for those of each DICOM's own window;
            "dtype" or "percentiles" for those that `settle` finds; None for 8 bits.
        max_pixels: most pixels that a file may state.
        page: of a file of several, its number, or "all" for all as channels.

    Attributes:
        count: number of channels, which the first intact file decides; None before.
        names: of the channels.
    """

    def __init__(
        self,
        channels: ChannelChoice,
        value_range: tuple[float, float] | str | None,
        max_pixels: int,
        page: int | str,
    ) -> None:
        self.channels = channels
        self.value_range = value_range
        self.max_pixels = max_pixels
        self.page = page
        self.count: int | None = None
        self.names: tuple[str, ...] | None = None
        # Of "dtype": what all files must be able to hold.
        self.limits: tuple[float, float] | None = None

    @property
    def takes_all(self) -> bool:
        """Return whether TensorFlow's readers read none of the files as they were asked for."""
        return not self.channels.converts or self.value_range is not None

    @property
    def dtype(self) -> tf.DType:
        """Return the type of the pixels."""
        return tf.uint8 if self.value_range is None else tf.float32

    def decide(self, picture: Picture) -> None:
        """Let a picture decide how many channels there are."""
        self.count, self.names = picture.channels, picture.names

    def chosen(self, contents: bytes) -> Picture:
        """Return the chosen channels of the bytes of a file, with the values of the file.

        Raises:
            ValueError: if it cannot be read, or not as it was asked for.
        """
        is_through_window = self.value_range == WINDOW
        try:
            found = read_picture(contents, self.max_pixels, self.page, is_through_window)
        except ImportError as error:
            raise UnfitError(str(error)) from error
        except MemoryError as error:
            raise ValueError("takes more memory than there is") from error
        picture = self.channels.of(found)
        if is_through_window and not picture.is_display:
            raise UnfitError("is no DICOM, and so has no window: give value_range=(low, high)")
        return picture

    def read(self, contents: bytes) -> np.ndarray:
        """Return the pixels of the bytes of a file, of `dtype`, (height, width, channels).

        Raises:
            ValueError: if it cannot be read, not as it was asked for, or has another number of
                channels than the first.
        """
        picture = self.chosen(contents)
        if self.count is not None and picture.channels != self.count:
            raise ValueError(
                f"has {picture.channels} channels, where the first intact file has {self.count}"
            )
        if self.value_range is None:
            return as_bytes(picture)
        if picture.is_display:
            return np.ascontiguousarray(picture.pixels, np.float32)
        if self.limits not in (None, picture.limits):
            raise ValueError(
                f"holds {picture.pixels.dtype} of {picture.limits}, where the first intact file "
                f"has values of {self.limits}, as value_range='dtype' needs them of all"
            )
        if isinstance(self.value_range, str):
            raise UnfitError(f"has values for which value_range={self.value_range!r} found none")
        return scaled(picture.pixels, self.value_range)

    def open(self, contents: tf.Tensor) -> ReadableImage:
        """Return the image that the bytes of a file, a scalar string tensor, hold."""
        return PixelImage(self._decoded(contents))

    def open_or(
        self, contents: tf.Tensor, encoded: Callable[[tf.Tensor], EncodedImage], channels: int
    ) -> EncodedImage:
        """Return the image of the bytes of a file, by TensorFlow's own readers if they know it.

        Args:
            contents: the bytes, a scalar string tensor.
            encoded: opens what these readers know.
            channels: 1 for gray, 3 for color; this reader has 3.
        """

        def known() -> tuple[tf.Tensor, ...]:
            return _tensors(encoded(contents))

        def other() -> tuple[tf.Tensor, ...]:
            return _tensors(EncodedImage.of_pixels(self._decoded(contents), contents, channels))

        found = tf.cond(is_encoded(contents), known, other)
        return EncodedImage(contents, channels, *found)

    def _decoded(self, contents: tf.Tensor) -> tf.Tensor:
        """Return the pixels of the bytes of a file, a tensor (height, width, channels)."""
        if tf.executing_eagerly():
            # As an array, bytes would lose zeros at their end.
            pixels = tf.constant(self.read(contents.numpy()))
        else:
            pixels = tf.numpy_function(self.read, (contents,), self.dtype)
        return tf.ensure_shape(pixels, (None, None, self.count))


def _tensors(image: EncodedImage) -> tuple[tf.Tensor, ...]:
    """Return what of an image differs between its readers."""
    return image.shape, image.is_plain, image.turn, image.decoded
