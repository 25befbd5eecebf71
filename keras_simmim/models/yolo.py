"""A detector without anchors: every position says how far a box reaches around it."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.boxes.ciou import ciou
from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.match_by_task import match_by_task
from keras_simmim.boxes.points import points
from keras_simmim.heads import YOLOHead
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.models.object_detector import ObjectDetector

# Factors of the losses, as YOLOv8 has them.
_BOX, _CLASS = 7.5, 0.5


@keras.saving.register_keras_serializable("keras_simmim")
class YOLO(ObjectDetector):
    """Detect objects in the arrangement of YOLOv8, on a backbone's pyramid.

    Every position of every level predicts one box by its distances to the four sides, and the
    classes' probabilities. Each true box teaches the positions inside it whose predictions are
    best aligned with it. The "class_loss" is the binary cross-entropy, with that alignment as
    target; the "box_loss" is 1 − CIoU weighted by it. Distances are regressed directly, without
    YOLOv8's distributions.

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
        head_width: channels of the head's convolutions.
        seed: of the augmentation, which is a function of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`; and `neck_width`, the channels of the levels, 128 if not
            given.

    Raises:
        ValueError: for arguments out of range.

    Source: Redmon et al., "You Only Look Once", CVPR 2016; Feng et al., "TOOD: Task-aligned
    One-stage Object Detection", ICCV 2021 (arXiv 2108.07755); Jocher et al., YOLOv8, 2023.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    images = np.zeros((2, 32, 48, 3), "uint8")
    images[:, 8:20, 8:24] = 255
    truth = {"boxes": np.float32([[[8, 8, 24, 20]]] * 2), "labels": np.int32([[0]] * 2)}
    backbone = ks.backbones.ViT((32, 48, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    detector = ks.YOLO(backbone, num_classes=1, neck_width=8, head_width=8)
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
        self.head = YOLOHead(num_classes, head_width, name="head", dtype=self.dtype_policy)
        self.head.build(self.level_shapes)
        levels = [
            points(size, [stride])
            for size, stride in zip(self.level_sizes, self.level_strides, strict=True)
        ]
        self.points, self.strides = (np.concatenate(each) for each in zip(*levels, strict=True))
        self.build((None, *backbone.image_shape))

    def predictions(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return float32 boxes (B, N, 4), in pixels, and logits (B, N, K) of all positions."""
        distances, logits = self.head(self.levels(features))
        distances = distances * ops.array(self.strides[:, None])
        centers = ops.array(self.points)
        starts, ends = centers - distances[..., :2], centers + distances[..., 2:]
        return ops.concatenate([starts, ends], axis=-1), logits

    def candidates(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the boxes (B, N, 4) of all positions, and their probabilities (B, N, K)."""
        boxes, logits = self.predictions(features)
        return clip(boxes, self.image_size), ops.sigmoid(logits)

    def box_losses(
        self, features: list[Tensor], boxes: Tensor, labels: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Measure 1 − CIoU and the binary cross-entropy, over the sum of the targets."""
        predicted, logits = self.predictions(features)
        match, targets = match_by_task(ops.sigmoid(logits), predicted, self.points, boxes, labels)
        truth = [boxes, ops.cast(ops.expand_dims(labels, -1), "float32")]
        truth = take_rows(ops.concatenate(truth, axis=-1), match.indices)
        lost = ops.where(match.positive, 1.0 - ciou(predicted, truth[..., :4]), 0.0)
        box_loss = _BOX * ops.sum(lost * targets, axis=-1)

        is_class = truth[..., 4:] == ops.arange(self.num_classes, dtype="float32")
        wanted = ops.where(is_class, ops.expand_dims(targets, -1), 0.0)
        entropy = ops.sum(ops.softplus(logits) - logits * wanted, axis=-1)
        counts = ops.logical_or(match.positive, match.negative)
        class_loss = _CLASS * ops.sum(ops.where(counts, entropy, 0.0), axis=-1)
        shares = ops.sum(targets, axis=-1)
        return {"box_loss": (box_loss, shares), "class_loss": (class_loss, shares)}

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), "head_width": self.head.width}
