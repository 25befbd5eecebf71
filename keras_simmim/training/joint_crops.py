"""One random crop of each image, done to the image, to its mask and to its boxes alike."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.data import arguments
from keras_simmim.data.target_values import IGNORED_PIXEL
from keras_simmim.layers.hashing import random_uniform
from keras_simmim.training.check_record import check_record
from keras_simmim.training.color_jitter import jitter_colors
from keras_simmim.training.largest_boxes import largest_boxes
from keras_simmim.training.mosaic_crops import mosaic_crops
from keras_simmim.training.move_boxes import move_boxes
from keras_simmim.training.move_masks import move_masks
from keras_simmim.training.resampling import resample
from keras_simmim.training.scaled_crops import CROP_DRAWS, scaled_crops

# Keeps these draws apart from others that hash the same words.
_SALT = 0x4A6F696E
# Behind those of the crop: mirrored, a mosaic, its three others, mixed, and with which.
_MIRROR, _MOSAIC, _OTHERS, _MIXUP, _MIXED = (CROP_DRAWS + place for place in (0, 1, 2, 5, 6))
_DRAWS = CROP_DRAWS + 7


@keras.saving.register_keras_serializable("keras_simmim")
class JointCrops(keras.layers.Layer):
    """Crop each image at random, and its mask or its boxes with it.

    Done are, in this order: mosaic, crop and resize to the image's size, mirror, color jitter,
    mixup. Geometry is drawn once for each image, as numbers, and then applied to all: images are
    resampled bilinearly, masks by the nearest pixel, boxes are moved and clipped. What lies
    outside an image is filled with the image's mean color, with 255 in masks, and with nothing in
    boxes. All draws are functions of (seed, step, number of the image), the same on every backend.

    Mosaic and mixup bring boxes of several images together: of these, as many as the record has
    room for are kept, the largest of those that are still to be seen; the order becomes that of
    their areas. The other images of a mosaic are drawn with replacement; an image that is alone in
    its batch, that of all devices and processes, is its own partner, and mixup leaves it as it is.

    Args:
        scale: bounds of a crop's area divided by the image's. Above 1, a crop is larger than the
            image, which then becomes smaller: (0.25, 4.0) is a scale jitter by factors of 0.5–2.
            Crops reach beyond the image only where scale[1] > 1.
        ratio: bounds of the factor by which a crop's width divided by its height differs from the
            image's.
        flip: whether half of the crops are mirrored left to right.
        color_jitter: largest distance from 1 of the factors of brightness, contrast and
            saturation, 0–1; 0 for none. For images of one or three channels. See `jitter_colors`.
        mosaic: probability that an image becomes a 2×2 mosaic of itself (upper left, before it is
            cropped and mirrored) and three others of the batch, each halved.
        mixup: probability that an image becomes the mean of itself and another of the batch, with
            the boxes of both. For boxes, not for masks.
        min_visible: least share of a box's area that must remain, 0–1. A box of which less
            remains, or less than a pixel along a side, gets label −1 and zeros; one of label −2,
            which losses ignore, only the latter.
        seed: 0 ≤ seed < 2³¹.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.
        TypeError: for arguments of another type.

    Source: Liu et al., "SSD: single shot multibox detector", ECCV 2016, for crops with boxes;
    Bochkovskiy et al., "YOLOv4", 2020, for mosaic; Zhang et al., "Bag of freebies for training
    object detection neural networks", 2019, for mixup.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.zeros((1, 32, 48, 3), "uint8")
    boxes, labels = np.float32([[[10, 4, 20, 12]]]), np.int32([[0]])
    layer = ks.training.JointCrops(scale=(4.0, 4.0), ratio=(1.0, 1.0))
    record = layer({"images": images, "boxes": boxes, "labels": labels}, step=5)
    boxes = record["boxes"]
    (boxes[..., 2:] - boxes[..., :2])[0, 0]   # [5, 4]: half of what it was
    ```
    """

    def __init__(
        self,
        scale: tuple[float, float] = (0.5, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: bool = True,
        color_jitter: float = 0.0,
        mosaic: float = 0.0,
        mixup: float = 0.0,
        min_visible: float = 0.25,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # Pixels of 0–255 stay float32 under any precision policy.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.scale = arguments.as_interval("scale", scale)
        self.ratio = arguments.as_interval("ratio", ratio)
        self.flip = arguments.as_flag("flip", flip)
        for name, value in (
            ("color_jitter", color_jitter),
            ("mosaic", mosaic),
            ("mixup", mixup),
            ("min_visible", min_visible),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value!r}.")
        self.color_jitter, self.min_visible = float(color_jitter), float(min_visible)
        self.mosaic, self.mixup = float(mosaic), float(mixup)
        self.seed = arguments.as_integer("seed", seed)
        if not 0 <= seed < 1 << 31:
            raise ValueError(f"seed must be an integer with 0 <= seed < 2**31, got {seed!r}.")
        self.built = True

    def call(self, record: dict[str, Tensor], step: Tensor | int) -> dict[str, Tensor]:
        """Crop a batch of images with masks or boxes.

        Args:
            record: "images" (B, H, W, C), uint8 or float, 0–255, and either "masks", integers
                (B, H, W), or "boxes" (B, M, 4), left, top, right and bottom in pixels, and
                "labels" (B, M), where −1 pads and −2 is ignored by losses; others, as "weights",
                are returned as they are.
            step: int32 scalar that everything is drawn from, with the seed.

        Returns:
            The same names and shapes: images float32, 0–255, boxes float32, masks and labels
            int32.

        Raises:
            ValueError: for records without images, with both or neither of masks and boxes, or of
                other shapes; for mixup with masks; for color jitter of images of another number of
                channels than 1 and 3.
        """
        check_record(record)
        if self.mixup and "masks" in record:
            raise ValueError(f"mixup must be 0 for masks, which have no mean, got {self.mixup}.")
        images = ops.cast(record["images"], "float32")
        drawn = random_uniform(self.seed ^ _SALT, step, ops.shape(images)[0], _DRAWS)
        record = self._cropped({**record, "images": images}, drawn)
        if self.color_jitter:
            images = jitter_colors(record["images"], self.color_jitter, self.seed, step)
            record = {**record, "images": images}
        return self._mixed(record, drawn) if self.mixup else record

    def _cropped(self, record: dict[str, Tensor], drawn: Tensor) -> dict[str, Tensor]:
        """Return the crops of a record, or of mosaics of it, that were drawn (B, `_DRAWS`)."""
        sides = tuple(record["images"].shape[1:3])
        mirrored = drawn[:, _MIRROR] < (0.5 if self.flip else 0.0)
        crops = scaled_crops(drawn[:, :CROP_DRAWS], sides, self.scale, self.ratio)
        parts = [(record, crops)]
        if self.mosaic:
            crops = mosaic_crops(crops, drawn[:, _MOSAIC] < self.mosaic, sides)
            others = _partners(drawn[:, _OTHERS:_MIXUP])
            whole = _whole(record)
            records = [record, *(_take(whole, others[:, number]) for number in range(3))]
            parts = [(part, crops[:, number]) for number, part in enumerate(records)]
        means = ops.mean(record["images"], axis=(1, 2), keepdims=True)
        images = means
        for part, crop in parts:
            place = ops.expand_dims(crop, 1), ops.expand_dims(mirrored, 1)
            images = images + resample(part["images"] - means, *place, sides)[:, 0]
        result = {**record, "images": ops.clip(images, 0.0, 255.0)}
        if "masks" in record:
            moved = [
                move_masks(ops.cast(part["masks"], "int32") - IGNORED_PIXEL, crop, mirrored)
                for part, crop in parts
            ]
            return {**result, "masks": IGNORED_PIXEL + sum(moved)}
        boxes = [
            move_boxes(part["boxes"], part["labels"], crop, mirrored, sides, self.min_visible)
            for part, crop in parts
        ]
        return {**result, **_joined(boxes)}

    def _mixed(self, record: dict[str, Tensor], drawn: Tensor) -> dict[str, Tensor]:
        """Return a record with boxes, of which images were drawn (B, `_DRAWS`) to be mixed."""
        partners = _partners(drawn[:, _MIXED : _MIXED + 1])[:, 0]
        other = _take(_whole(record), partners)
        mixes = ops.logical_and(drawn[:, _MIXUP] < self.mixup, partners != _own_numbers(drawn))
        mean = (record["images"] + other["images"]) / 2.0
        images = ops.where(ops.reshape(mixes, (-1, 1, 1, 1)), mean, record["images"])
        boxes = ops.where(ops.reshape(mixes, (-1, 1, 1)), other["boxes"], 0.0)
        labels = ops.where(ops.expand_dims(mixes, 1), other["labels"], -1)
        joined = _joined([(record["boxes"], record["labels"]), (boxes, labels)])
        return {**record, "images": images, **joined}

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "ratio": self.ratio,
            "flip": self.flip,
            "color_jitter": self.color_jitter,
            "mosaic": self.mosaic,
            "mixup": self.mixup,
            "min_visible": self.min_visible,
            "seed": self.seed,
        }


def _partners(draws: Tensor) -> Tensor:
    """Choose other images of the whole batch, or the image itself where it is alone.

    Args:
        draws: float32 (B, n), uniform numbers within 0–1.

    Returns:
        int32 (B, n), numbers of images within the batch of all replicas.
    """
    count = ops.maximum(ops.shape(devices.all_examples(draws))[0], 1)
    ahead = 1 + ops.cast(draws * ops.cast(count - 1, "float32"), "int32")
    return (ops.expand_dims(_own_numbers(draws), 1) + ahead) % count


def _own_numbers(draws: Tensor) -> Tensor:
    """Return the numbers, within the batch of all replicas, of the images that draws are for."""
    count = ops.shape(draws)[0]
    return devices.first_example(count) + ops.arange(count, dtype="int32")


def _whole(record: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what belongs to the images of all replicas, whose partners they are."""
    names = {"images", "masks", "boxes", "labels"} & set(record)
    return {name: devices.all_examples(record[name]) for name in sorted(names)}


def _take(record: dict[str, Tensor], numbers: Tensor) -> dict[str, Tensor]:
    """Return what belongs to images by their numbers (B,)."""
    return {name: ops.take(values, numbers, axis=0) for name, values in record.items()}


def _joined(parts: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Put boxes and labels of several images together, the largest where there are too many."""
    boxes, labels = parts[0]
    if len(parts) > 1:
        together = [ops.concatenate(each, axis=1) for each in zip(*parts, strict=True)]
        boxes, labels = largest_boxes(together[0], together[1], count=labels.shape[1])
    return {"boxes": boxes, "labels": labels}
