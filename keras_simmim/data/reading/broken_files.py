"""Images that cannot be read: named, counted, and then skipped or raised."""

import logging
import threading
from collections.abc import Iterator
from math import gcd

import tensorflow as tf

from keras_simmim.data.geometry.boxes import whole_box
from keras_simmim.data.reading.encoded_image import EncodedImage
from keras_simmim.data.reading.picture_reader import PictureReader
from keras_simmim.data.reading.plain_reason import plain_reason
from keras_simmim.data.reading.readable_image import ReadableImage
from keras_simmim.data.tables.image_table import ImageTable
from keras_simmim.data.targets.targets import Targets

LOGGER = logging.getLogger("keras_simmim")


class BrokenFiles:
    """Keep the reason why each broken file, or row of a shard, is broken.

    Args:
        table: all images of the data set.
        channels: channels to decode them to.
        max_pixels: most pixels that an image may have.
        on_error: `"skip"` to log a broken image, `"raise"` to raise an error that names it.
        targets: what belongs to each image; one without it is as useless as a broken one.
        reader: of files that TensorFlow's readers do not read as they are to be; None without any.
    """

    def __init__(
        self,
        table: ImageTable,
        channels: int,
        max_pixels: int,
        on_error: str,
        targets: Targets | None = None,
        reader: PictureReader | None = None,
    ) -> None:
        self.table = table
        self.channels = channels
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.targets = targets or Targets()
        self.reader = reader
        self.reasons: dict[str, str] = {}
        self._broken: set[int] = set()
        self._lock = threading.Lock()

    def check_first(self) -> None:
        """Find one intact image, so that a data set without any fails at once.

        Raises:
            ValueError: if all are broken, or if the first is and `on_error` is `"raise"`.
        """
        for index in range(len(self.table)):
            if self.why_broken(index) is None:
                return
            self.record(index)

    def note(self, name: str, reason: str) -> None:
        """Keep a reason, and log it once.

        Raises:
            ValueError: if `on_error` is `"raise"`.
        """
        if self.on_error == "raise":
            raise ValueError(f"broken image {name!r}: {reason}.")
        with self._lock:
            if name not in self.reasons:
                LOGGER.warning("Skipped the broken image %r: %s.", name, reason)
            self.reasons[name] = reason

    def record(self, index: int) -> None:
        """Note that an image could not be read.

        Args:
            index: its number in the table.

        Raises:
            ValueError: if `on_error` is `"raise"`, or if no intact image is left.
        """
        name = self.table.name(index)
        reason = self.reasons.get(name) or self.why_broken(index) or "could not be read once"
        self.note(name, reason)
        self._broken.add(index)
        if len(self._broken) == len(self.table):
            raise ValueError(
                f"all {len(self.table)} images are broken, at last {name!r}: {reason}."
            )

    def substitutes(self, index: int) -> Iterator[int]:
        """Yield the numbers of all other images, far from each other and always in one order."""
        count = len(self.table)
        step = max(1, round(count * 0.618))
        while gcd(step, count) > 1:
            step += 1
        for number in range(1, count):
            yield (index + number * step) % count

    def open_image(self, contents: tf.Tensor) -> ReadableImage:
        """Return the image that the bytes of a file hold."""
        if self.reader is None:
            return self._encoded(contents)
        if self.reader.takes_all:
            return self.reader.open(contents)
        return self.reader.open_or(contents, self._encoded, self.channels)

    def _encoded(self, contents: tf.Tensor) -> EncodedImage:
        """Return the image of a file that TensorFlow's readers read."""
        return EncodedImage.open(contents, self.channels, self.max_pixels)

    def why_broken(self, index: int) -> str | None:
        """Return why an image is not intact, or its targets are not, None if all is."""
        try:
            with tf.device("CPU:0"):
                contents = self.table.contents(tf.constant(index, tf.int64))
            if not contents.numpy():
                return "the file is empty"
            image = self.open_image(contents)
            image.part(whole_box(image.shape))
        except (tf.errors.OpError, OSError, ValueError) as error:
            return plain_reason(getattr(error, "message", str(error)), self.max_pixels)
        height, width = image.shape.numpy().tolist()[:2]
        return self.targets.why_broken(index, (height, width))
