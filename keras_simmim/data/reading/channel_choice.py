"""Which channels of an image are read: gray, color, all, or some by number or by name."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_simmim.data.reading.picture import COLOR, GRAY, INKS, Picture, UnfitError

LUMA = np.array([0.299, 0.587, 0.114])


class ChannelChoice:
    """Choose channels of pictures.

    Args:
        given: 1 for gray or 3 for color, to which images of the other kind are converted; "all";
            or a sequence of numbers from 0 and of names.

    Raises:
        ValueError: for another number or text, an empty sequence, or one that repeats itself.
        TypeError: for anything else.
    """

    def __init__(self, given: Any) -> None:
        self.converts = isinstance(given, numbers.Integral) and not isinstance(given, bool)
        if self.converts or isinstance(given, str | bool):
            if given not in ((1, 3) if self.converts else ("all",)):
                raise ValueError(
                    f"channels must be 1 or 3, got {given!r}; images of others are read by 'all', "
                    "or by the channels' numbers or names, such as (0, 3) or ('red', 'alpha')."
                )
            self.given: Any = given
            return
        is_sequence = isinstance(given, Sequence | np.ndarray)
        chosen = tuple(given) if is_sequence else ()
        if not is_sequence or not all(
            isinstance(each, str | numbers.Integral) and not isinstance(each, bool)
            for each in chosen
        ):
            raise TypeError(
                f"channels must be 1, 3, 'all' or a sequence of numbers and names, got {given!r}."
            )
        chosen = tuple(each if isinstance(each, str) else int(each) for each in chosen)
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError(f"channels must be different ones, at least one, got {given!r}.")
        self.given = chosen

    def of(self, picture: Picture) -> Picture:
        """Return a picture of the chosen channels, all of which have names or numbers.

        Raises:
            UnfitError: if the picture does not have them.
        """
        if self.given == "all":
            return picture._replace(names=_known(picture))
        if self.converts:
            gray_or_color = _color(picture)
            if self.given == 1:
                return picture._replace(pixels=_gray(gray_or_color), names=GRAY)
            shape = (*gray_or_color.shape[:2], 3)
            return picture._replace(pixels=np.broadcast_to(gray_or_color, shape), names=COLOR)
        known = _known(picture)
        places = [self._place(each, known) for each in self.given]
        return picture._replace(
            pixels=picture.pixels[..., places], names=tuple(known[place] for place in places)
        )

    def _place(self, wanted: int | str, known: tuple[str, ...]) -> int:
        """Return the place of a channel."""
        if isinstance(wanted, str) and wanted in known:
            return known.index(wanted)
        if isinstance(wanted, int) and 0 <= wanted < len(known):
            return wanted
        raise UnfitError(f"has no channel {wanted!r}, but {len(known)}: {', '.join(known)}")


def _known(picture: Picture) -> tuple[str, ...]:
    """Return the names of the channels, numbers where there are none."""
    return picture.names or tuple(str(number) for number in range(picture.channels))


def _color(picture: Picture) -> np.ndarray:
    """Return pixels of one channel, or of red, green and blue.

    Raises:
        UnfitError: if the picture is neither gray nor color.
    """
    names, pixels = picture.names, picture.pixels
    if picture.channels in (1, 3):
        return pixels
    if names is not None and names[:-1] in (GRAY, COLOR) and names[-1] == "alpha":
        return pixels[..., :-1]
    if names == INKS and pixels.dtype == np.uint8:
        # As Pillow converts CMYK, without a color profile.
        light = 255 - pixels.astype(np.uint32)
        return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)
    raise UnfitError(
        f"has {picture.channels} channels: channels='all' reads them all, channels=(0, 1, 2) these "
        "three"
    )


def _gray(pixels: np.ndarray) -> np.ndarray:
    """Return the luma (height, width, 1) of pixels of one channel or of three."""
    if pixels.shape[-1] == 1:
        return pixels
    is_whole = pixels.dtype.kind in "iu"
    # Of 8 bits with the very rounding that TensorFlow's readers have.
    exact = np.float32 if pixels.dtype.itemsize == 1 else np.float64
    luma = (pixels.astype(exact) @ LUMA.astype(exact))[..., None]
    return np.rint(luma).astype(pixels.dtype) if is_whole else luma.astype(pixels.dtype)
