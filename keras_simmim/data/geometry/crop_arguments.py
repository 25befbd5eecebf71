"""A crop, given as one object or by the short arguments of the sources."""

from typing import Any, TypeAlias, TypedDict

from keras_simmim.data import arguments
from keras_simmim.data.geometry.center_crop import CenterCrop
from keras_simmim.data.geometry.random_crop import RandomCrop

Crop: TypeAlias = RandomCrop | CenterCrop


class CropArguments(TypedDict, total=False):
    """Name the parts of a `RandomCrop` as the sources take them, beside `image_size`.

    Args:
        crop_scale: bounds of a training crop's share of the image's area; (0.67, 1.0) if left out.
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
) -> Crop:
    """Return the crop that the arguments of a source describe.

    Args:
        crop: the whole description, or None.
        image_size: side or `(height, width)` of the results, in pixels, if `crop` is None.
        training: False where nothing may be random.
        given: the parts that the caller named.

    Raises:
        ValueError: if the arguments contradict each other, or one is out of bounds.
        TypeError: if an argument has another type, or there is no size.
    """
    parts = _checked(given)
    if crop is None:
        return _described(image_size, training, parts)
    if not isinstance(crop, RandomCrop | CenterCrop):
        raise TypeError(f"crop must be a ks.data.RandomCrop or CenterCrop, got {crop!r}.")
    repeated = [*(["image_size"] if image_size is not None else []), *given]
    if repeated:
        raise ValueError(
            f"crop says everything about the crop: give either crop or {', '.join(repeated)}, "
            f"got both, crop={crop!r}."
        )
    if not training and isinstance(crop, RandomCrop):
        raise ValueError(f"crop must be a CenterCrop if training=False, got {crop!r}.")
    return crop


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
    image_size: int | tuple[int, int] | None, training: bool, parts: dict[str, Any]
) -> Crop:
    """Return the crop of this size: random in training, otherwise the center."""
    if image_size is None:
        raise TypeError(
            "image_size must be an integer or a pair (height, width) unless crop is given, "
            "got None for both."
        )
    size = arguments.as_size("image_size", image_size)
    if training:
        return RandomCrop(size, **parts)
    for name, part in parts.items():
        if part is not False:
            argument = name if name == "flip" else f"crop_{name}"
            raise ValueError(
                f"{argument} is of random crops: training=False takes the largest central one, "
                f"got {argument}={part!r}."
            )
    return CenterCrop(size)
