"""Faster R-CNN: regions where there might be something first, and what it is then."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.boxes.anchors import anchors
from keras_simmim.boxes.clip import clip
from keras_simmim.boxes.offsets import decode_offsets
from keras_simmim.heads import BoxHead, Proposals, RPNHead
from keras_simmim.models.object_detector import ObjectDetector
from keras_simmim.objectives.proposal_losses import proposal_losses
from keras_simmim.objectives.region_losses import region_losses, sample_regions

# Widths of anchors divided by their heights.
_RATIOS = (0.5, 1.0, 2.0)
# Candidates of each proposal.
_CANDIDATES = 4


@keras.saving.register_keras_serializable("keras_simmim")
class FasterRCNN(ObjectDetector):
    """Propose regions on a backbone's pyramid, and look at each of them once more.

    A network of region proposals scores anchors of one size and three proportions at every
    position of every level. The best that do not overlap each other much are read off the level
    that fits their size, named, and corrected. Logged are the "objectness_loss" and
    "proposal_loss" of the first look, and the "class_loss" and "box_loss" of the second. Recipes,
    freezing and augmentation are those of `DenseModel`.

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
        anchor_scale: sides of the square anchors, in strides of their level.
        proposals: regions of an image that are looked at once more; in training, a sample of 64
            of these and the true boxes.
        region_size: rows and columns of the map that is made of each region.
        head_width: of the dense layers that look at the regions.
        seed: of the samples and the augmentation, which are functions of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`; and the options of `ObjectDetector`, such as
            `neck_width`.

    Raises:
        ValueError: for arguments out of range.

    Source: Ren et al., "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal
    Networks", NeurIPS 2015; Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    images = np.zeros((2, 32, 48, 3), "uint8")
    images[:, 8:20, 8:24] = 255
    truth = {"boxes": np.float32([[[8, 8, 24, 20]]] * 2), "labels": np.int32([[0]] * 2)}
    backbone = ks.backbones.ViT((32, 48, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    detector = ks.FasterRCNN(backbone, num_classes=1, neck_width=8, proposals=20, head_width=16)
    detector.compile("adamw")
    detector.fit(images, truth, verbose=0)
    len(detector.detect(images))   # 2, a dictionary of boxes, scores and labels for each image
    ```
    """

    loss_names: ClassVar[tuple[str, ...]] = (
        "objectness_loss",
        "proposal_loss",
        "class_loss",
        "box_loss",
    )

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
        anchor_scale: float = 4.0,
        proposals: int = 100,
        region_size: int = 7,
        head_width: int = 256,
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
        if not anchor_scale > 0:
            raise ValueError(f"anchor_scale must be above 0, got {anchor_scale!r}.")
        if not isinstance(proposals, int) or proposals < 1:
            raise ValueError(f"proposals must be an integer of at least 1, got {proposals!r}.")
        self.anchor_scale = float(anchor_scale)
        policy = {"dtype": self.dtype_policy}
        self.rpn_head = RPNHead(len(_RATIOS), self.neck_width, name="rpn_head", **policy)
        self.proposals = Proposals(
            self.image_size, proposals, _CANDIDATES * proposals, name="proposals", **policy
        )
        self.box_head = BoxHead(
            num_classes, self.level_strides, head_width, region_size, name="box_head", **policy
        )
        self.rpn_head.build(self.level_shapes)
        self.box_head.build(self.level_shapes)
        levels = zip(self.level_sizes, self.level_strides, strict=True)
        self.anchors = np.concatenate(
            [anchors(size, [stride], [self.anchor_scale], _RATIOS) for size, stride in levels]
        )
        self.build((None, *backbone.image_shape))

    def candidates(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the proposals as corrected (B, P, 4), and their probabilities (B, P, K)."""
        return self._second_look(features, suppress=True)

    def raw_outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give "candidates" and their "candidate_scores" of four times as many proposals.

        They are the best ones, however much they overlap: nothing is suppressed at either look.
        """
        boxes, scores = self._second_look(features, suppress=False)
        return {"candidates": boxes, "candidate_scores": scores}

    def _second_look(self, features: list[Tensor], suppress: bool) -> tuple[Tensor, Tensor]:
        """Return regions as corrected, and their probabilities; see `Proposals` for `suppress`."""
        levels = self.levels(features)
        objectness, offsets = self.rpn_head(levels)
        starts = ops.array(self.anchors)
        regions, valid = self.proposals(objectness, offsets, starts, suppress=suppress)
        scores, offsets = self.box_head(levels, regions)
        boxes = clip(decode_offsets(offsets, regions), self.image_size)
        scores = ops.softmax(scores)[..., 1:]
        return boxes, ops.where(ops.expand_dims(valid, -1), scores, 0.0)

    def box_losses(
        self, features: list[Tensor], boxes: Tensor, labels: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Measure what `proposal_losses` and `region_losses` do, over the samples' sizes."""
        levels, starts = self.levels(features), ops.array(self.anchors)
        objectness, offsets = self.rpn_head(levels)
        first = proposal_losses(objectness, offsets, starts, boxes, labels, self.step, self.seed)
        regions, valid = self.proposals(objectness, offsets, starts)
        sampled = sample_regions(regions, valid, boxes, labels, self.step, self.seed)
        scores, offsets = self.box_head(levels, sampled.boxes)
        return {**first, **region_losses(scores, offsets, sampled)}

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "anchor_scale": self.anchor_scale,
            "proposals": self.proposals.count,
            "region_size": self.box_head.region_size,
            "head_width": self.box_head.width,
        }
