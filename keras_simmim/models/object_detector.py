"""What detectors on pretrained features share: levels, losses, and boxes out of candidates."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.boxes.non_maximum_suppression import non_maximum_suppression
from keras_simmim.data.target_values import NO_BOX
from keras_simmim.evaluation.detection_sheet import detection_sheet
from keras_simmim.models.boxes import check_boxes
from keras_simmim.models.dense_model import DenseModel
from keras_simmim.models.given_data import as_array
from keras_simmim.necks import FeaturePyramid
from keras_simmim.objectives.integer_boxes import integer_boxes
from keras_simmim.training.measured import Measured
from keras_simmim.training.tracked_mean import TrackedMean

_FOUND = ("boxes", "scores", "labels")
# Steps of levels that are worth their time, in pixels.
_FINEST, _COARSEST = 4, 64


class ObjectDetector(DenseModel):
    """Find objects on a feature pyramid over the backbone's.

    Subclasses have `candidates`, `box_losses` and `loss_names`; their constructors build a head
    for maps of `level_shapes`, which `levels` gives, which step by `level_strides` pixels and cover
    `level_sizes`, and then call `build`.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes, at least 1; there is no background among them.
        class_names: see `FineTunedModel`.
        frozen: see `FineTunedModel`.
        recipe: see `FineTunedModel`.
        augmentation: see `DenseModel`.
        max_detections: most boxes of an image.
        score_threshold: score that a box must exceed, 0–1.
        iou_threshold: IoU above which the worse box of a class goes, 0–1.
        seed: of all that is drawn in training, which is a function of (seed, step).
        **options: `mean`, `std`, `value_range` and `channel_names` of `BackboneModel`,
            `neck_width`, the channels of all levels, 128 if not given; and what `keras.Model`
            takes.

    Raises:
        ValueError: for arguments out of range.
    """

    predicted = "boxes"
    targets = "boxes"
    # What `box_losses` gives.
    loss_names: ClassVar[tuple[str, ...]] = ()
    # Levels that there are at least: coarser ones are made where the backbone has fewer.
    fewest_levels: ClassVar[int] = 3

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
        seed: int = 0,
        **options: Any,
    ) -> None:
        for name, value in (("num_classes", num_classes), ("max_detections", max_detections)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
        for name, share in (
            ("score_threshold", score_threshold),
            ("iou_threshold", iou_threshold),
        ):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {share!r}.")
        super().__init__(
            backbone, num_classes, class_names, frozen, recipe, augmentation, seed, **options
        )
        self.max_detections = max_detections
        self.score_threshold = float(score_threshold)
        self.iou_threshold = float(iou_threshold)
        wanted = [n for n, s in enumerate(self.map_strides) if _FINEST <= s <= _COARSEST]
        self.chosen_maps = wanted or [len(self.map_strides) - 1]
        shapes = [self.map_shapes[number] for number in self.chosen_maps]
        extra = max(self.fewest_levels - len(shapes), 0)
        self.feature_pyramid = FeaturePyramid(
            self.neck_width, extra, name="feature_pyramid", dtype=self.dtype_policy
        )
        self.feature_pyramid.build(shapes)
        self.level_shapes: list[Shape] = self.feature_pyramid.compute_output_shape(shapes)
        strides = [self.map_strides[number] for number in self.chosen_maps]
        self.level_strides = self.feature_pyramid.strides_of(strides)
        # What the levels cover, in pixels: less than the image where convolutions leave out a rest.
        self.level_sizes = [
            (shape[1] * stride, shape[2] * stride)
            for shape, stride in zip(self.level_shapes, self.level_strides, strict=True)
        ]
        self.trackers = [TrackedMean(n) for n in ("loss", "gradient_norm", *self.loss_names)]

    @property
    def image_size(self) -> tuple[int, int]:
        """Give height and width of the images, in pixels."""
        height, width, _ = self.backbone.image_shape
        return height, width

    # ------------------------------------------------------------------- the path

    def levels(self, features: list[Tensor]) -> list[Tensor]:
        """Return the maps of `level_shapes`, finest first.

        Args:
            features: of `features`.
        """
        maps = features[1:]
        return self.feature_pyramid([maps[number] for number in self.chosen_maps])

    def candidates(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return all boxes that there might be, and how much each is one of every class.

        Args:
            features: of `features`.

        Returns:
            float32 (B, N, 4), in pixels, clipped to the image, or (B, N, K, 4) where every class
            has its own; and float32 (B, N, K), probabilities.
        """
        raise NotImplementedError

    def box_losses(
        self, features: list[Tensor], boxes: Tensor, labels: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Measure the losses of a batch, image by image; the step is `self.step`.

        Args:
            features: of `features`.
            boxes: float32 (B, M, 4), in pixels, within the image; M is at least 1.
            labels: int32 (B, M), −1 pads, −2 is an ignored box.

        Returns:
            Of each of `loss_names`, two float32 (B,): the sum of what an image loses, and what the
            sum over all images is to be divided by, such as its number of positives. The quotient
            of the sums, by 1 at least, is the loss; weights of images and replicas are seen to.
        """
        raise NotImplementedError

    def call(self, images: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Find the boxes of images (B, H, W, C) of 0–255.

        Returns:
            "boxes" float32 (B, K, 4), in pixels, "scores" float32 (B, K), falling, and "labels"
            int32 (B, K), −1 where there are fewer than K = `max_detections`.
        """
        found = self.outputs(self.features(images, training))
        return {name: found[name] for name in _FOUND}

    def outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give what a call gives."""
        boxes, scores = self.candidates(features)
        return non_maximum_suppression(
            boxes, scores, self.iou_threshold, self.score_threshold, self.max_detections
        )

    def raw_outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give "candidates" and "candidate_scores": nothing is suppressed."""
        boxes, scores = self.candidates(features)
        return {"candidates": boxes, "candidate_scores": scores}

    @property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name what is answered: boxes, their names, and the size of the image that was sent."""
        found = (*_FOUND, "names", "size")
        return {"serving_default": found, "images": found, "embed": ("embedding",)}

    def compute_losses(self, data: Any, training: bool) -> Measured:
        """Measure the losses of a batch.

        Args:
            data: (images, {"boxes": (B, M, 4), "labels": (B, M)}) or these and sample weights
                (B,); an image of weight 0 counts nothing, others' losses are multiplied.
            training: whether to augment.

        Returns:
            The loss and its parts.
        """
        images, truth, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if truth is None:
            raise ValueError("fit and evaluate need boxes, got images alone.")
        if self.class_weight is not None:
            raise ValueError(f"class_weight must be None, got {self.class_weight}.")
        boxes, labels, wrong = integer_boxes(truth, self.num_classes, self.image_size)
        weights = ops.ones_like(wrong)
        if sample_weight is not None:
            if tuple(sample_weight.shape[1:]) not in ((), (1,)):
                raise ValueError(f"sample_weight must be (B,), got {tuple(sample_weight.shape)}.")
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        counts = ops.cast(weights > 0.0, "float32")
        labels = ops.where(ops.expand_dims(counts, 1) > 0.0, labels, NO_BOX)
        if training and self.augmentation is not None:
            record = {"images": images, "boxes": boxes, "labels": labels}
            record = self.augmentation(record, step=self.step)
            images, boxes, labels = (record[name] for name in ("images", "boxes", "labels"))
        features = self.features(images, training)
        losses = {}
        total = ops.sum(ops.where(counts > 0.0, wrong, 0.0)) + sum(self.losses)
        # Boxes of all replicas count alike: a replica's part of the 1 that is divided by at least.
        least = 1.0 / devices.sum_over_replicas(ops.ones(()))
        for name, (lost, shares) in self.box_losses(features, boxes, labels).items():
            share = devices.mean_over_replicas(ops.sum(shares * counts))
            share = ops.maximum(share, least)
            loss = ops.sum(ops.where(counts > 0.0, lost * weights, 0.0)) / share
            losses[name] = (loss, share * ops.cast(ops.any(counts > 0.0), "float32"))
            total = total + loss
        return Measured({"loss": (total, ops.sum(counts)), **losses}, {}, {}, {})

    def detect(
        self, images: Any, score: float = 0.3, batch_size: int | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Find the objects of images.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
                (images, truth) batches.
            score: least score of the boxes that are returned, 0–1.
            batch_size: images at a time, for arrays; 32 if None.

        Returns:
            A dictionary for each image: "boxes" float32 (n, 4), left, top, right and bottom in
            pixels, "scores" float32 (n,), falling, and "labels" int32 (n,).
        """
        if not 0 <= score <= 1:
            raise ValueError(f"score must be from 0 to 1, got {score!r}.")
        images = as_array(images)
        if isinstance(images, np.ndarray) and len(images) == 0:
            return []
        found = self.embedder.of_model(images, batch_size)
        kept = (found["labels"] >= 0) & (found["scores"] >= score)
        return [
            {name: found[name][image][rows] for name in _FOUND} for image, rows in enumerate(kept)
        ]

    def sheets(
        self,
        images: Any,
        truth: Any = None,
        scale: int = 1,
        shown_channels: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Lay out the "detection" of objects in images; see `ks.evaluation.detection_sheet`."""
        options: Any = {"scale": scale, "shown_channels": shown_channels}
        return {"detection": detection_sheet(self, images, truth, **options)}

    # ------------------------------------------------------------------- training

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, *, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Choose the optimizer; see `TrainedModel.compile` for the arguments.

        Raises:
            ValueError: for metrics, which need the boxes of all images at once.
        """
        if metrics:
            raise ValueError(
                f"metrics must be None, got {metrics!r}: detections are measured while training by "
                "ks.training.callbacks.Evaluate([ks.evaluation.DetectionQuality(images, truth)])."
            )
        super().compile(optimizer, loss, **kwargs)

    def before_fit(self, arguments: Config) -> None:
        """Make arrays of lists of boxes and labels, and do as `FineTunedModel.before_fit`."""
        arguments["y"] = _arrays(arguments["y"])
        validation_data = arguments["validation_data"]
        if isinstance(validation_data, tuple | list):
            arguments["validation_data"] = tuple(map(_arrays, validation_data))
        super().before_fit(arguments)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, also lists of images, boxes and labels."""
        return super().evaluate(x, _arrays(y), *args, **kwargs)

    def check_targets(self, targets: Any, name: str, whole: bool) -> None:
        """Raise ValueError for boxes that are missing, impossible, or of other classes."""
        check_boxes(targets, self.backbone.image_shape, self.num_classes, name, whole=whole)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "max_detections": self.max_detections,
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
        }


def _arrays(truth: Any) -> Any:
    """Return a dictionary of lists as one of arrays, and all else as it is."""
    if not isinstance(truth, dict):
        return truth
    return {name: as_array(values) for name, values in truth.items()}
