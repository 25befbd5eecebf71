"""A segmenter on pretrained features: a class for every pixel."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.data.target_values import IGNORED_PIXEL
from keras_simmim.evaluation.segmentation_sheet import segmentation_sheet
from keras_simmim.heads import Decoder, FCNDecoder, UNetDecoder
from keras_simmim.models.counted_iou import CountedIoU
from keras_simmim.models.dense_model import DenseModel
from keras_simmim.models.given_data import as_array
from keras_simmim.models.masks import check_masks
from keras_simmim.objectives.dice import dice_loss
from keras_simmim.objectives.integer_masks import integer_masks
from keras_simmim.training.measured import Measured
from keras_simmim.training.tracked_mean import TrackedMean

_DECODERS = {"fcn": FCNDecoder, "unet": UNetDecoder}


@keras.saving.register_keras_serializable("keras_simmim")
class ImageSegmenter(DenseModel):
    """Segment images by a backbone's pyramid and a decoder.

    The loss is the cross-entropy of the pixels and the Dice loss of the classes that are present,
    pixels of 255 left out; "mean_iou" and "pixel_accuracy" are logged. Recipes, freezing and
    augmentation are those of `DenseModel`.

    Args:
        backbone: the pretrained network, or a new one.
        num_classes: number of classes, at least 2, the background one of them.
        decoder: "unet", "fcn", or a `Decoder`.
        class_names: the classes' names in the order of their numbers; taken from the first data
            set that has any if None.
        frozen: whether the backbone learns not, or how many of its first blocks do not.
        recipe: "auto", a `FineTuningRecipe`, or None.
        augmentation: see `DenseModel`.
        dice_weight: factor of the Dice loss beside the cross-entropy, at least 0.
        seed: of the augmentation, which is a function of (seed, step).
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`; `neck_width`, see `DenseModel`; and `value_range` and
            `channel_names`, see `BackboneModel`, which `fit` takes from its data set if None.

    Raises:
        ValueError: for arguments out of range.

    Source: Ronneberger et al., "U-Net", MICCAI 2015; Long et al., "Fully Convolutional Networks
    for Semantic Segmentation", CVPR 2015; Li et al., "Exploring Plain Vision Transformer Backbones
    for Object Detection", ECCV 2022, for the pyramid of a ViT.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    masks = generator.integers(0, 3, (4, 16, 24), dtype="uint8")
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    segmenter = ks.ImageSegmenter(backbone, num_classes=3)
    segmenter.compile("adamw")
    segmenter.fit(images, masks, verbose=0)
    segmenter.segment(images).shape   # (4, 16, 24)
    ```
    """

    predicted = "probabilities"
    targets = "masks"

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        decoder: str | Decoder = "unet",
        class_names: Sequence[str] | None = None,
        frozen: bool | int = False,
        recipe: Any = None,
        augmentation: Any = None,
        dice_weight: float = 1.0,
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
            seed,
            mean=mean,
            std=std,
            **kwargs,
        )
        if not dice_weight >= 0:
            raise ValueError(f"dice_weight must be at least 0, got {dice_weight!r}.")
        if isinstance(decoder, str):
            if decoder not in _DECODERS:
                raise ValueError(
                    f"decoder must be one of {sorted(_DECODERS)} or a Decoder, got {decoder!r}."
                )
            decoder = _DECODERS[decoder](num_classes, name="decoder", dtype=self.dtype_policy)
        if not isinstance(decoder, Decoder) or decoder.num_classes != num_classes:
            raise ValueError(
                f"decoder must be one of {sorted(_DECODERS)} or a Decoder of num_classes="
                f"{num_classes}, got {decoder!r}."
            )
        self.decoder = decoder
        self.dice_weight = float(dice_weight)
        self.trackers = [TrackedMean(n) for n in ("loss", "gradient_norm", "pixel_accuracy")]
        self.build((None, *backbone.image_shape))

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        if not self.decoder.built:
            self.decoder.build([(None, *self.backbone.image_shape), *self.map_shapes])
        self.add_step()
        self.built = True

    # ------------------------------------------------------------------- the path

    def outputs(self, features: list[Tensor]) -> dict[str, Tensor]:
        """Give the pixels' "probabilities" (B, H, W, K)."""
        return {"probabilities": ops.softmax(self.decoder(features))}

    @property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name what is answered: class maps by default, probabilities when asked for."""
        return {
            "serving_default": ("class_map_bytes", "classes"),
            "probabilities": ("probabilities",),
            "images": ("probabilities",),
            "embed": ("embedding",),
        }

    def compute_losses(self, data: Any, training: bool) -> Measured:
        """Measure the cross-entropy and the Dice loss of a batch, over the pixels that count.

        Args:
            data: (images, masks) or (images, masks, sample_weight); masks integers (B, H, W), 255
                ignored; weights (B,) or (B, H, W).
            training: whether to augment.

        Returns:
            The losses "loss" and "pixel_accuracy" with the pixels that count, and the output
            "probabilities".
        """
        images, masks, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if masks is None:
            raise ValueError("fit and evaluate need masks, got images alone.")
        truth, counts = integer_masks(masks, self.num_classes)
        # What is no class makes the loss no number, also where a crop leaves it out.
        wrong = ops.sum(0.0 * counts)
        if training and self.augmentation is not None:
            if sample_weight is not None and len(sample_weight.shape) > 1:
                raise ValueError(
                    "sample_weight must be (B,) beside an augmentation, which moves the pixels, "
                    f"got {tuple(sample_weight.shape)}; 255 in a mask leaves a pixel out."
                )
            record = {"images": images, "masks": ops.where(counts > 0, truth, IGNORED_PIXEL)}
            record = self.augmentation(record, step=self.step)
            images = record["images"]
            truth, counts = integer_masks(record["masks"], self.num_classes)
        if sample_weight is not None:
            weights = ops.cast(sample_weight, "float32")
            counts = counts * ops.reshape(weights, (-1, *(tuple(weights.shape[1:]) or (1, 1))))
        scores = self.decoder(self.features(images, training))
        entropy = ops.sparse_categorical_crossentropy(truth, scores, from_logits=True)
        total = ops.sum(counts)
        # Pixels of all replicas count alike.
        share = ops.maximum(devices.mean_over_replicas(total), 1e-8)
        probabilities = ops.softmax(scores)
        loss = ops.sum(entropy * counts) / share + wrong + sum(self.losses)
        if self.dice_weight:
            loss = loss + self.dice_weight * dice_loss(probabilities, truth, counts)
        hits = ops.cast(ops.cast(ops.argmax(scores, -1), "int32") == truth, "float32")
        accuracy = ops.sum(hits * counts) / share
        return Measured(
            losses={"loss": (loss, total), "pixel_accuracy": (accuracy, total)},
            outputs={"probabilities": probabilities},
            targets={"probabilities": truth},
            weights={"probabilities": counts},
        )

    def segment(self, images: Any, batch_size: int | None = None) -> np.ndarray:
        """Name the class of every pixel.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
                (images, masks) batches.
            batch_size: images at a time, for arrays; 32 if None.

        Returns:
            int32 array (N, H, W).
        """

        def classes(pixels: Tensor) -> Tensor:
            probabilities = self.outputs(self.features(pixels))["probabilities"]
            return ops.cast(ops.argmax(probabilities, axis=-1), "int32")

        return np.asarray(self.embedder.of_pixels(classes, as_array(images), batch_size))

    def sheets(
        self,
        images: Any,
        truth: Any = None,
        scale: int = 1,
        shown_channels: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Lay out the "segmentation" of images; see `ks.evaluation.segmentation_sheet`."""
        sheet = segmentation_sheet(self, images, truth, scale, shown_channels=shown_channels)
        return {"segmentation": sheet}

    # ------------------------------------------------------------------- training

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, *, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Choose the optimizer, and metrics beside the loss, the pixel accuracy and the mean IoU.

        Args:
            optimizer: as for `keras.Model.compile`.
            loss: None, since the model brings its own.
            metrics: a name, a metric, or a list of these, for integer masks (B, H, W) and
                probabilities (B, H, W, K).
            **kwargs: see `TrainedModel.compile`.
        """
        super().compile(optimizer, loss, **kwargs)
        self.user_metrics.given = keras.tree.flatten(metrics or [])
        overlap = CountedIoU(self.num_classes)
        self.user_metrics.choose("probabilities", [overlap, *self.user_metrics.given])

    def get_compile_config(self) -> Config | None:
        """Return what `compile` was given, the metrics too."""
        config = super().get_compile_config()
        metrics = keras.saving.serialize_keras_object(self.user_metrics.given)
        return config and {**config, "metrics": metrics}

    def check_targets(self, targets: Any, name: str, whole: bool) -> None:
        """Raise ValueError for masks of another size, or with other classes."""
        check_masks(targets, self.backbone.image_shape, self.num_classes, name)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "dice_weight": self.dice_weight,
        }
