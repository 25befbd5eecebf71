"""A crop, given as one object or by the short arguments of the sources."""

import math
from typing import Any, TypeAlias, TypedDict

from keras_simmim.data import arguments
from keras_simmim.data.geometry.center_crop import CenterCrop
from keras_simmim.data.geometry.random_crop import RandomCrop
from keras_simmim.data.geometry.whole_image import WholeImage

Crop: TypeAlias = RandomCrop | CenterCrop | WholeImage
DENSE_SCALE = (0.3, 1.0)  # objects in several sizes, of which the smaller crops lose some


class CropArguments(TypedDict, total=False):
    """Name the parts of a `RandomCrop` as the sources take them, beside `image_size`.

    Args:
        crop_scale: bounds of a training crop's share of the image's area; if left out (0.67, 1.0),
            or (0.3, 1.0) where there are masks or boxes.
        crop_ratio: bounds of a training crop's width divided by its height; (3/4, 4/3) if left out.
        flip: whether half of the training crops are mirrored left to right; True if left out.
    """

    crop_scale: tuple[float, float]
    crop_ratio: tuple[float, float]
    flip: bool


def choose_crop(
    crop: Crop | None,
    *,
    image_size: int | tuple[int, int] | None,
    training: bool,
    given: CropArguments,
    dense: bool = False,
) -> Crop:
    """Return the crop that the arguments of a source describe.

    Args:
        crop: the whole description, or None.
        image_size: side or `(height, width)` of the results, in pixels, if `crop` is None.
        training: False where nothing may be random.
        given: the parts that the caller named.
        dense: whether masks or boxes follow the crop: then it is smaller in training, and otherwise
            the whole image.

    Raises:
        ValueError: if the arguments contradict each other, or one is out of bounds.
        TypeError: if an argument has another type, or there is no size.
    """
    parts = _checked(given)
    if crop is None:
        return _described(image_size, training, parts, dense)
    if not isinstance(crop, Crop):
        raise TypeError(
            f"crop must be a ks.data.RandomCrop, CenterCrop or WholeImage, got {crop!r}."
        )
    repeated = [*(["image_size"] if image_size is not None else []), *given]
    if repeated:
        raise ValueError(
            f"crop says everything about the crop: give either crop or {', '.join(repeated)}, "
            f"got both, crop={crop!r}."
        )
    if not training and isinstance(crop, RandomCrop):
        raise ValueError(
            f"crop must be a CenterCrop or WholeImage if training=False, got {crop!r}."
        )
    return crop


def needed_side(crop: Crop) -> int:
    """Return the shorter side of an image, in pixels, from which on no crop has to be enlarged."""
    smallest = crop.scale[0] if isinstance(crop, RandomCrop) else 1.0
    return math.ceil(max(crop.shape) / math.sqrt(smallest))


def _checked(given: CropArguments) -> dict[str, Any]:
    """Return the given arguments under the names that `RandomCrop` has for them."""
    parts: dict[str, Any] = {}
    if "crop_scale" in given:
        parts["scale"] = arguments.as_interval("crop_scale", given["crop_scale"], maximum=1.0)
    if "crop_ratio" in given:
        parts["ratio"] = arguments.as_interval("crop_ratio", given["crop_ratio"])
    if "flip" in given:
        parts["flip"] = arguments.as_flag("flip", given["flip"])
    return parts


def _described(
    image_size: int | tuple[int, int] | None, training: bool, parts: dict[str, Any], dense: bool
) -> Crop:
    """Return the crop of this size: random in training, otherwise the center or the whole."""
    if image_size is None:
        raise TypeError(
            "image_size must be an integer or a pair (height, width) unless crop is given, "
            "got None for both."
        )
    size = arguments.as_size("image_size", image_size)
    if training:
        return RandomCrop(size, **({"scale": DENSE_SCALE} if dense else {}) | parts)
    for name, part in parts.items():
        if part is not False:
            argument = name if name == "flip" else f"crop_{name}"
            raise ValueError(
                f"{argument} is of random crops: training=False takes the "
                f"{'whole image' if dense else 'largest central one'}, got {argument}={part!r}."
            )
    return WholeImage(size) if dense else CenterCrop(size)
