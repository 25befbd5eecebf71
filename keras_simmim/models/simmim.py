"""The whole path, images to loss: stem, masked views, encoder, and the two heads."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.aggregation import MeanAggregation
from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.reconstruction import reconstruction
from keras_simmim.heads import ClassificationHead, ReconstructionHead, TransformerHead
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.masking import MaskGenerator
from keras_simmim.masking.visible import places_of, visible_first
from keras_simmim.models.image_model import ImageModel
from keras_simmim.models.simmim_arguments import check_arguments
from keras_simmim.objectives import RunningScale, classification_loss

# Evaluation draws its masks from this step, which training never reaches: validation losses of
# two epochs then differ by the weights alone.
EVALUATION_STEP = -1


@keras.saving.register_keras_serializable("keras_simmim")
class SimMIM(ImageModel):
    """Self-supervised pretraining by masked image modelling.

    Images pass the backbone's stem, are masked into views, pass its encoder, and then each view
    predicts the pixels that it hid; with a classifier, the aggregated views also predict labels.

    Args:
        backbone: `ks.backbones.ViT`, `ConvNet` or any other `Backbone`.
        mask_generator: `ks.masking.SpatialMasking`, `IterativeMasking` or any other
            `MaskGenerator`; its block size counts positions of what it masks.
        aggregator: layer (B, V, h, w, c) → what the classifier takes; `MeanAggregation` if None.
        head: layer (B, h, w, c) → (B, H, W, C); `ReconstructionHead` if None.
        classifier: `ks.heads.ClassificationHead`, or None to train without labels.
        mask_on: "features" masks between stem and encoder, "pixels" before the stem.
        mask_token: whether a learned vector stands in feature positions that are hidden
            entirely; else zero.
        encode: "all" positions, or the "visible" ones alone, which is faster: a `TransformerHead`
            then has the mask tokens. For a `ViT` with absolute positions and one spatial or
            learned masking of its features. Targets and loss stay the paper's.
        reconstruction_weight: factor of the reconstruction loss; 0 trains on labels alone.
        classification_weight: factor of the classification loss.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        embedding_metrics: whether to log the standard deviation and the effective rank of the
            embeddings of each batch, which fall when the network collapses.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for arguments out of range, or a combination that cannot learn.

    Source: Xie et al., "SimMIM: A Simple Framework for Masked Image Modeling", CVPR 2022; and
    C(H(G(F(X)))) of "Self-supervised Modeling with Multi-modal Iterative Masking"; encoding what
    is visible: He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.

    Example:
    ```python
    model = SimMIM(ViT((96, 96, 3), patch_size=8), SpatialMasking(ratio=0.6, block_size=4))
    model.compile(optimizer=keras.optimizers.AdamW(1e-3, weight_decay=0.05))
    model.fit(images, batch_size=64)        # uint8 or float images, 0–255
    embeddings = model.embed(images)        # (N, 768)
    ```
    """

    def __init__(
        self,
        backbone: Backbone,
        mask_generator: MaskGenerator,
        aggregator: keras.layers.Layer | None = None,
        head: keras.layers.Layer | None = None,
        classifier: ClassificationHead | None = None,
        mask_on: str = "features",
        mask_token: bool = True,
        encode: str = "all",
        reconstruction_weight: float = 1.0,
        classification_weight: float = 1.0,
        mean: float | tuple[float, ...] | None = None,
        std: float | tuple[float, ...] | None = None,
        embedding_metrics: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, mean, std, **kwargs)
        weights = (reconstruction_weight, classification_weight)
        check_arguments(backbone, mask_generator, classifier, mask_on, encode, *weights)
        self.mask_generator = mask_generator
        self.aggregator = MeanAggregation() if aggregator is None else aggregator
        self.classifier = classifier
        self.mask_on = mask_on
        self.encode = encode
        self.has_mask_token = mask_token
        self.reconstruction_weight = float(reconstruction_weight)
        self.classification_weight = float(classification_weight)
        self.head: Any = None
        if reconstruction_weight > 0:
            default = TransformerHead if encode == "visible" else ReconstructionHead
            self.head = default() if head is None else head
            if encode == "visible" and not isinstance(self.head, TransformerHead):
                raise ValueError(
                    "encode='visible' needs a TransformerHead, which fills in what the encoder "
                    f"did not see, got head={type(self.head).__name__}."
                )
            if getattr(self.head, "image_shape", ...) is None:
                self.head.image_shape = backbone.image_shape
        self.embedding_metrics = embedding_metrics
        # Several modalities count alike, however large their coefficients are.
        self.target_scale = RunningScale() if len(mask_generator.names) > 1 else None
        names = ["loss", "gradient_norm"]
        if self.head is not None:
            names += ["reconstruction_loss", *(f"{name}_loss" for name in mask_generator.names)]
            names += ["ranking_loss"] * mask_generator.has_ranking_loss
        if classifier is not None:
            names += ["classification_loss", "accuracy"]
        if embedding_metrics:
            names += ["embedding_std", "embedding_rank"]
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        self.build((None, *backbone.image_shape))

    # ------------------------------------------------------------------ weights

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        backbone, views = self.backbone, self.mask_generator.views
        on_pixels = self.mask_on == "pixels"
        masked_shape = backbone.image_shape if on_pixels else backbone.stem_shape
        _build(self.mask_generator, (None, *masked_shape))
        self.mask_token = None
        has_token = self.has_mask_token and not on_pixels and self.encode == "all"
        if has_token and self.mask_generator.hides_positions:
            self.mask_token = self.add_weight(
                shape=(masked_shape[-1],),
                initializer=TruncatedNormal(),
                name="mask_token",
            )
        if self.head is not None:
            _build(self.head, (None, *backbone.feature_shape))
            height, width, channels = backbone.image_shape
            rows, columns = self.mask_generator.grid
            self.mask_generator.check_block((height // rows, width // columns, channels))
            if self.target_scale is not None:
                _build(self.target_scale, (len(self.mask_generator.names),))
        if self.classifier is not None:
            views_shape = (None, views, *backbone.feature_shape)
            _build(self.aggregator, views_shape)
            _build(self.classifier, self.aggregator.compute_output_shape(views_shape))
        self.add_step()
        self.built = True

    # ------------------------------------------------------- the path, nothing masked

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        """Class probabilities (B, K) where there is a classifier, else embeddings (B, D).

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
            training: whether layers such as dropout behave as in training.
        """
        features = self.backbone(self.normalise(images), training=training)
        if self.classifier is None:
            return self.pool(features)
        return self.classifier(self.aggregate_one_view(features))

    def aggregate_one_view(self, features: Tensor) -> Tensor:
        """Aggregate an unmasked feature map (B, h, w, c) as if all V views had seen it."""
        view = ops.expand_dims(features, 1)
        return self.aggregator(ops.repeat(view, self.mask_generator.views, axis=1))

    # ---------------------------------------------------------- the path, with masks

    def masked_features(
        self, pixels: Tensor, step: Tensor | int, training: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mask normalised pixels (B, H, W, C) into views and encode each of them.

        Returns:
            The encoded views (B, V, h', w', c'), of n visible positions (B, 1, n, 1, c'); what
            each view hid, (B, V, h, w, M); and the features or pixels that were masked.
        """
        stem, encoder = self.backbone.stem, self.backbone.encoder
        if self.encode == "visible":
            whole = stem(pixels, training=training)
            hidden = self.mask_generator.draw(whole, step)
            rows, columns, _ = self.backbone.stem_shape
            count = self.mask_generator.visible_count(rows * columns)
            visible = visible_first(places_of(hidden, rows, columns))[:, :count]
            encoded = encoder(whole, training=training, visible=visible)
        elif self.mask_on == "features":
            whole = stem(pixels, training=training)
            views, hidden = self.mask_generator(whole, step=step, token=self.mask_token)
            encoded = encoder(_join_views(views), training=training)
        else:
            whole = pixels
            views, hidden = self.mask_generator(whole, step=step)
            encoded = encoder(stem(_join_views(views), training=training), training=training)
        return _split_views(encoded, self.mask_generator.views), hidden, whole

    def predict_pixels(self, encoded: Tensor, hidden: Tensor) -> Tensor:
        """What each encoded view, of `masked_features`, takes the image to be: (B, V, H, W, C)."""
        arguments = {}
        if self.encode == "visible":
            arguments["places"] = places_of(hidden, *self.backbone.stem_shape[:2])
        prediction = ops.cast(self.head(_join_views(encoded), **arguments), "float32")
        return _split_views(prediction, self.mask_generator.views)

    def compute_losses(self, data: Any, training: bool) -> dict[str, tuple[Tensor, Tensor]]:
        """All losses of a batch, each with the weight that its mean over batches counts it by.

        Args:
            data: images, (images, labels) or (images, labels, sample_weight); images
                (B, H, W, C) uint8 or float 0–255, labels integers (B,) with −1 for unlabelled.
            training: labels are predicted from the masked views in training, and from the
                unmasked image otherwise.

        Returns:
            "loss" and, where there are any, "reconstruction_loss" and its part of each modality
            ("spatial_loss", …), "ranking_loss", "classification_loss", "accuracy",
            "embedding_std" and "embedding_rank": scalars, and their weights.
        """
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        pixels = self.normalise(images)
        batch_size = ops.cast(ops.shape(pixels)[0], "float32")
        weight = ops.ones_like(pixels[:, 0, 0, 0])
        if sample_weight is not None:
            weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        # torch's inductor gets int32 arithmetic on constants alone wrong, so that the evaluation's
        # step, too, comes from the variable, which is never below 0.
        step = self.step if training else ops.minimum(self.step, EVALUATION_STEP)

        total = ops.zeros(()) + sum(self.losses)
        losses: dict[str, tuple[Tensor, Tensor]] = {}
        if self.head is not None or training or self.embedding_metrics:
            encoded, hidden, whole = self.masked_features(pixels, step, training)
        if self.head is not None:
            prediction = self.predict_pixels(encoded, hidden)
            parts = self.modality_losses(pixels, prediction, hidden, weight, training)
            reconstruction = sum(parts.values())
            total = total + self.reconstruction_weight * reconstruction
            parts["reconstruction"] = reconstruction
            if self.mask_generator.has_ranking_loss:
                ranking = self.mask_generator.ranking_loss(whole, pixels, prediction, hidden)
                total = total + ranking
                parts["ranking"] = ranking
            losses |= {f"{name}_loss": (value, batch_size) for name, value in parts.items()}
        if self.classifier is not None and labels is not None:
            if training:
                aggregated = self.aggregator(encoded)
            else:
                aggregated = self.aggregate_one_view(self.backbone(pixels, training=False))
            classification, accuracy, labelled = classification_loss(
                self.classifier.logits(aggregated), labels, weight
            )
            losses["classification_loss"] = (classification, labelled)
            losses["accuracy"] = (accuracy, labelled)
            total = total + self.classification_weight * classification
        elif self.head is None:
            raise ValueError("reconstruction_weight is 0, so fit and evaluate need labels.")
        if self.embedding_metrics:
            statistics = embedding_statistics(self.pool(ops.mean(encoded, axis=1)))
            losses |= {name: (value, batch_size) for name, value in statistics.items()}
        return {"loss": (total, batch_size), **losses}

    def modality_losses(
        self, pixels: Tensor, prediction: Tensor, hidden: Tensor, weight: Tensor, training: bool
    ) -> dict[str, Tensor]:
        """The reconstruction loss of each modality: a scalar by name.

        Where there are several, each is divided by the running size of its targets, which is the
        loss of predicting nothing but zeros.
        """
        measure = self.mask_generator.hidden_loss
        parts = {
            name: ops.mean(weight * loss)
            for name, loss in measure(pixels, prediction, hidden).items()
        }
        if self.target_scale is None:
            return parts
        sizes = measure(pixels, ops.zeros_like(prediction), hidden)
        sizes = ops.stack([ops.mean(size) for size in sizes.values()])
        scales = self.target_scale(sizes, training=training)
        return {name: loss / scales[index] for index, (name, loss) in enumerate(parts.items())}

    def compile(
        self, optimizer: Any = "rmsprop", jit_compile: bool | str = "auto", **kwargs: Any
    ) -> None:
        """Choose the optimizer; the other arguments are those of `ImageModel.compile`.

        Raises:
            ValueError: for a loss or metrics, which the model brings itself.
        """
        if kwargs.get("metrics"):
            raise ValueError(
                f"SimMIM brings its own losses and metrics, got metrics={kwargs['metrics']!r}; "
                "see reconstruction_weight and classification_weight."
            )
        super().compile(optimizer, jit_compile, **kwargs)

    # ---------------------------------------------------------------------- use

    def reconstruct(self, images: Any, step: int = 0) -> dict[str, np.ndarray]:
        """Show what the model sees and fills in.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255; as many as to look at.
            step: the masks' step; another step gives other masks.

        Returns:
            Arrays to look at, uint8 (N, H, W, C): "original"; "masked", the image without what
            was hidden (hidden blocks show the mean colour); "reconstruction", the prediction of
            what was hidden, pasted into the visible pixels; and "mask", bool (N, H, W), the
            blocks that lost something. With V > 1 views, all but "original" are (N, V, …).

        Raises:
            ValueError: for a model without a reconstruction head.
        """
        return reconstruction(self, images, step)

    # ------------------------------------------------------------------ saving

    def get_config(self) -> Config:
        """The constructor's arguments."""
        parts = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in ("mask_generator", "aggregator", "head", "classifier")
        }
        return {
            **super().get_config(),
            **parts,
            "mask_on": self.mask_on,
            "mask_token": self.has_mask_token,
            "encode": self.encode,
            "reconstruction_weight": self.reconstruction_weight,
            "classification_weight": self.classification_weight,
            "embedding_metrics": self.embedding_metrics,
        }

    @classmethod
    def from_preset(cls, name: str, **arguments: Any) -> "SimMIM":
        """A compiled model: a preset with new weights, or a checkpoint with its own.

        Args:
            name: a function of `ks.presets`, such as "simmim_vit_base"; an official ".pth" file;
                a ".keras" file; a directory, by `save_to_preset` or in Hugging Face's format; or
                "hf://owner/name" for one on the Hugging Face hub.
            **arguments: of the preset; checkpoints take image_shape, to which their positions
                are interpolated.

        Raises:
            ValueError: for an unknown name, a shape that the preset cannot take, or a checkpoint
                that does not fit.
        """
        from keras_simmim.pretrained import presets

        return presets.from_preset(name, **arguments)

    def save_to_preset(self, directory: str) -> None:
        """Write architecture, compilation and weights to a directory that `from_preset` reads.

        Raises:
            ValueError: for a directory that holds anything but such a preset.
        """
        from keras_simmim.pretrained import preset_directory

        preset_directory.save(self, directory)


def _build(layer: keras.layers.Layer, input_shape: Shape) -> None:
    """Create a layer's weights, unless they were created with its configuration."""
    if not layer.built:
        layer.build(input_shape)


def _join_views(views: Tensor) -> Tensor:
    """(B, V, …) → (B·V, …)."""
    return ops.reshape(views, (-1, *views.shape[2:]))


def _split_views(images: Tensor, views: int) -> Tensor:
    """(B·V, …) → (B, V, …)."""
    return ops.reshape(images, (-1, views, *images.shape[1:]))
