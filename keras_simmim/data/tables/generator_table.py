"""Images that a function yields one after another."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from keras_simmim.data.tables.row_table import RowTable
from keras_simmim.data.target_values import UNLABELED


class GeneratorTable(RowTable):
    """Check what a function yields, and read single images of it by starting anew.

    Args:
        function: returns a fresh iterator over images, or over pairs of an image and a label.
        count: images of an epoch, None if that is not known.
        limit: most images that are taken.

    Attributes:
        is_labeled: whether there are labels.
        channels: of the first array; None where images are encoded.

    Raises:
        TypeError: if `function` is none, or its first image is none.
        ValueError: if it returns one iterator twice, or yields nothing.
    """

    def __init__(
        self, function: Callable[[], Iterable[Any]], count: int | None, limit: int | None
    ) -> None:
        if not callable(function):
            raise TypeError(f"function must return a fresh iterator, got {function!r:.80}.")
        self.function = function
        self.stated = count
        self.most = min((each for each in (count, limit) if each is not None), default=None)
        started, again = iter(function()), iter(function())
        if started is again:
            raise ValueError("function must return a fresh iterator each time, got the same twice.")
        first = next(started, None)
        if first is None:
            raise ValueError("function must yield at least one image, got none.")
        self._failure: Exception | None = None
        self.is_labeled = isinstance(first, tuple | list)
        image = first[0] if isinstance(first, tuple | list) and first else first
        self.channels = None
        if not isinstance(image, bytes):
            shape = np.shape(image)
            self.channels = shape[2] if len(shape) == 3 else 1
        self._checked(first, 0)

    def __len__(self) -> int:
        """Return the number of images of an epoch, 0 if it is not known."""
        return 0 if self.stated is None or self.most is None else self.most

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the "image" and the "label" of each record of an epoch.

        Raises:
            TypeError: if one is of another kind than the first.
            ValueError: if there are fewer than was stated.
        """
        number, self._failure = 0, None
        try:
            for number, given in enumerate(itertools.islice(self.function(), self.most), start=1):
                yield self._checked(given, number - 1)
            if number < len(self):
                raise ValueError(f"function must yield count={self.stated} images, got {number}.")
        except Exception as error:
            self._failure = error
            raise

    def check(self) -> None:
        """Raise what ended the last iteration, if anything did, once more.

        Images that cannot be decoded are replaced, and where that is done TensorFlow does not tell
        them from the end of the images.
        """
        if self._failure is not None:
            raise ValueError(f"function failed: {self._failure!r}") from self._failure

    def name(self, index: int) -> str:
        """Return the number of an image among those that the function yields."""
        return f"image {index}"

    def record(self, index: int) -> dict[str, Any]:
        """Return a record, for which all before it are made anew."""
        given = next(itertools.islice(self.function(), index, None), None)
        if given is None:
            raise ValueError("the function yields fewer images than before")
        return self._checked(given, index)

    def read(self, index: int) -> bytes:
        """Return the bytes of an image."""
        return self.record(index)["image"]

    def _checked(self, given: Any, number: int) -> dict[str, Any]:
        """Return what was yielded, of the kinds that the first is of."""
        image, label = given, None
        if self.is_labeled:
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise TypeError(f"image {number} must be a pair (image, label), got {given!r:.80}.")
            image, label = given
        if label is not None and not isinstance(label, int | np.integer):
            raise TypeError(f"the label of image {number} must be an integer, got {label!r:.80}.")
        if self.channels is None:
            if not isinstance(image, bytes):
                raise TypeError(f"image {number} must be bytes as the first is, got {image!r:.80}.")
        else:
            image = self._as_pixels(image, number)
        return {"image": image, "label": np.int32(UNLABELED if label is None else label)}

    def _as_pixels(self, image: Any, number: int) -> np.ndarray:
        """Return an array (height, width, channels)."""
        pixels = np.asarray(image)
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or 0 in pixels.shape:
            raise TypeError(
                f"image {number} must be the bytes of a file or a uint8 array (height, width, "
                f"channels), got {pixels.dtype} of the shape {pixels.shape}."
            )
        if pixels.shape[2] != self.channels:
            raise TypeError(
                f"image {number} must have {self.channels} channels as the first has, got the "
                f"shape {pixels.shape}."
            )
        return pixels
