"""A detector that corrects anchors and says what is in them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.boxes.anchors import anchors
from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.hard_negatives import hard_negatives
from keras_simmim.boxes.match_by_overlap import match_by_overlap
from keras_simmim.boxes.offsets import decode_offsets, encode_offsets
from keras_simmim.heads import SSDHead
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.models.object_detector import ObjectDetector
from keras_simmim.objectives.smooth_l1 import smooth_l1

_SCALES, _RATIOS = (3.0, 3.0 * 2**0.5), (0.5, 1.0, 2.0)


@keras.saving.register_keras_serializable("keras_simmim")
class SSD(ObjectDetector):
    """Detect objects as SSD does, on a backbone's pyramid.

    Every position of every level has anchors of several sizes and proportions, whose offsets to a
    box are predicted, and a softmax over the classes and a background. Anchors that overlap a
    true box by half, and the best one of each box, are positive. The "class_loss" is the
    cross-entropy of the positives and of three times as many negatives of the highest loss; the
    "box_loss" is the smooth L1 distance of the offsets. Both are divided by the positives.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes, at least 1; there is no background among them.
        class_names: the classes' names in the order of their numbers; taken from the first data
            set that has any if None.
        frozen: whether the backbone learns not, or how many of its first blocks do not.
        recipe: "auto", a `FineTuningRecipe`, or None.
        augmentation: see `DenseModel`.
        max_detections: most boxes of an image.
        score_threshold: score that a box must exceed, 0–1.
        iou_threshold: IoU above which the worse box of a class goes, 0–1.
        scales: sides of the square anchors, in strides of their level.
        ratios: widths of the anchors divided by their heights.
        head_width: channels of the head's convolutions.
        seed: of the augmentation, which is a function of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`; and `neck_width`, the channels of the levels, 128 if not
            given.

    Raises:
        ValueError: for arguments out of range.

    Source: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, on the levels of Lin et
    al., "Feature Pyramid Networks for Object Detection", CVPR 2017.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    images = np.zeros((2, 32, 48, 3), "uint8")
    images[:, 8:20, 8:24] = 255
    truth = {"boxes": np.float32([[[8, 8, 24, 20]]] * 2), "labels": np.int32([[0]] * 2)}
    backbone = ks.backbones.ViT((32, 48, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    detector = ks.SSD(backbone, num_classes=1, neck_width=8, head_width=8)
    detector.compile("adamw")
    detector.fit(images, truth, verbose=0)
    len(detector.detect(images))   # 2, a dictionary of boxes, scores and labels for each image
    ```
    """

    loss_names: ClassVar[tuple[str, ...]] = ("box_loss", "class_loss")

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        recipe: Any = None,
        augmentation: Any = None,
        max_detections: int = 100,
        score_threshold: float = 0.001,
        iou_threshold: float = 0.6,
        scales: Sequence[float] = _SCALES,
        ratios: Sequence[float] = _RATIOS,
        head_width: int = 64,
        seed: int = 0,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            backbone,
            num_classes,
            class_names,
            frozen,
            recipe,
            augmentation,
            max_detections,
            score_threshold,
            iou_threshold,
            seed,
            mean=mean,
            std=std,
            **kwargs,
        )
        for name, values in (("scales", scales), ("ratios", ratios)):
            if not len(values) or not all(value > 0 for value in values):
                raise ValueError(f"{name} must be numbers above 0, one at least, got {values!r}.")
        self.scales, self.ratios = tuple(map(float, scales)), tuple(map(float, ratios))
        number = len(self.scales) * len(self.ratios)
        self.head = SSDHead(num_classes, number, head_width, name="head", dtype=self.dtype_policy)
        self.head.build(self.level_shapes)
        self.anchors = np.concatenate(
            [
                anchors(size, [stride], self.scales, self.ratios)
                for size, stride in zip(self.level_sizes, self.level_strides, strict=True)
            ]
        )
        self.build((None, *backbone.image_shape))

    def candidates(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the corrected anchors (B, N, 4) and their probabilities (B, N, K)."""
        offsets, logits = self.head(self.levels(features))
        boxes = decode_offsets(offsets, ops.array(self.anchors))
        return clip(boxes, self.image_size), ops.softmax(logits)[..., 1:]

    def box_losses(
        self, features: list[Tensor], boxes: Tensor, labels: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Measure smooth L1 of the offsets and the cross-entropy, over the positives."""
        offsets, logits = self.head(self.levels(features))
        starts = ops.array(self.anchors)
        match = match_by_overlap(starts, boxes, labels)
        truth = [boxes, ops.cast(ops.expand_dims(labels, -1), "float32")]
        truth = take_rows(ops.concatenate(truth, axis=-1), match.indices)
        errors = offsets - encode_offsets(truth[..., :4], starts)
        lost = ops.where(match.positive, ops.sum(smooth_l1(errors), axis=-1), 0.0)

        surprise = -ops.log_softmax(logits)
        negative = hard_negatives(surprise[..., 0], match.positive, match.negative)
        wanted = ops.where(match.positive, truth[..., 4] + 1.0, 0.0)
        is_class = ops.expand_dims(wanted, -1) == ops.arange(logits.shape[-1], dtype="float32")
        entropy = ops.sum(ops.where(is_class, surprise, 0.0), axis=-1)
        counts = ops.logical_or(match.positive, negative)
        positives = ops.sum(ops.cast(match.positive, "float32"), axis=-1)
        return {
            "box_loss": (ops.sum(lost, axis=-1), positives),
            "class_loss": (ops.sum(ops.where(counts, entropy, 0.0), axis=-1), positives),
        }

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "scales": self.scales,
            "ratios": self.ratios,
            "head_width": self.head.width,
        }
