"""The whole path, images to loss: stem, masked views, encoder, heads, and what teaches."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.aggregation import MeanAggregation
from keras_simmim.backbones import Backbone
from keras_simmim.backend import devices, kernels
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.evaluation.embedding_statistics import embedding_statistics
from keras_simmim.evaluation.reconstruction import reconstruction
from keras_simmim.evaluation.reconstruction_sheet import mask_sheet, sheet_of
from keras_simmim.evaluation.rgb_pictures import chosen_channels
from keras_simmim.heads import (
    ClassificationHead,
    ReconstructionHead,
    TokenHead,
    TransformerHead,
)
from keras_simmim.heads.head import build_head
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.masking import MaskGenerator
from keras_simmim.masking.views import split_views
from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.models.labels import check_labels
from keras_simmim.models.masked_views import crops_of, lost_positions, masked_views
from keras_simmim.models.simmim_arguments import (
    check_arguments,
    check_batch,
    warn_of_nothing_visible,
)
from keras_simmim.models.simmim_objectives import choose_objectives, prepare_objectives
from keras_simmim.objectives import MaskedPass, Objective, RunningScale
from keras_simmim.objectives.integer_labels import integer_labels
from keras_simmim.training.class_weight import weights_of_labels
from keras_simmim.training.measured import Measured
from keras_simmim.training.tracked_mean import TrackedMean

# Evaluation draws its masks from this step, which training never reaches: validation losses of
# two epochs then differ by the weights alone.
EVALUATION_STEP = -1


@keras.saving.register_keras_serializable("keras_simmim")
class SimMIM(BackboneModel):
    """Pretrain a backbone by masked modeling, with labels where there are any.

    Images pass the backbone's stem, are masked into views, pass its encoder, and then each view
    predicts the pixels that it hid; with a classifier, the aggregated views also predict labels.
    Other objectives may teach instead, or beside. Sequences of tokens go the same way through a
    `SequenceTransformer`, and each view names the tokens that it hid.

    Args:
        backbone: `ks.backbones.ViT`, `ConvNet`, `SequenceTransformer` or any other `Backbone`.
        mask_generator: `ks.masking.SpatialMasking`, `IterativeMasking` or any other
            `MaskGenerator`; its block size counts positions of what it masks.
        aggregator: layer (B, V, h, w, c) → what the classifier takes; `MeanAggregation` if None.
        head: layer (B, h, w, c) → (B, H, W, C), `ReconstructionHead` if None; of tokens a
            `TokenHead`.
        classifier: `ks.heads.ClassificationHead`, or None to train without labels.
        mask_on: "features" masks between stem and encoder, "pixels" before the stem.
        mask_token: whether a learned vector stands in feature positions that are hidden
            entirely; else zero.
        encode: "all" positions, or the "visible" ones alone, which is faster: a `TransformerHead`
            then has the mask tokens. For a `ViT` with absolute positions whose features are
            masked, or a convolutional network whose pixels are, which then masks again after
            every convolution; by masks that hide whole positions, as many in every view.
        reconstruction_weight: factor of the reconstruction loss; 0 trains on labels alone.
        classification_weight: factor of the classification loss.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        embedding_metrics: whether to log the standard deviation and the effective rank of the
            embeddings of each batch, which fall when the network collapses.
        objectives: what teaches, of `ks.objectives` or your own; the paper's `Reconstruction` if
            None. A classifier teaches beside them, and learned masks beside a `Reconstruction`.
        crops: `ks.training.Crops` that draws crops of every image on the device; None for images
            as they come, or for batches of crops (B, c, H, W, C) as `ks.data` gives them.
        tokenizer: of texts, a `ks.data.Tokenizer` or any function from a text to a list of ids;
            `fit` takes that of its `ks.data.texts` if None.
        **kwargs: passed to `keras.Model`; and `value_range` and `channel_names`, see
            `BackboneModel`, which `fit` takes from its data set if they are None.

    Raises:
        ValueError: for arguments out of range, or a combination that cannot learn.

    Source: Xie et al., "SimMIM: A Simple Framework for Masked Image Modeling", CVPR 2022; and
    C(H(G(F(X)))) of "Self-supervised Modeling with Multi-modal Iterative Masking"; encoding what
    is visible: He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.

    Example:
    ```python
    import keras
    import keras_simmim as ks
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype="uint8")
    backbone = ks.backbones.ViT((16, 16, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.6, block_size=2))
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.05))
    model.fit(images, batch_size=4, verbose=0)
    model.embed(images).shape   # (8, 16)
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
        objectives: Sequence[Objective] | None = None,
        crops: keras.layers.Layer | None = None,
        tokenizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone, mean=mean, std=std, tokenizer=tokenizer, **kwargs)
        self.mask_generator = mask_generator
        self.aggregator = MeanAggregation() if aggregator is None else aggregator
        self.classifier = classifier
        self.mask_on = mask_on
        self.encode = encode
        self.has_mask_token = mask_token
        self.reconstruction_weight = float(reconstruction_weight)
        self.classification_weight = float(classification_weight)
        self.crops = crops
        self.given_objectives = None if objectives is None else list(objectives)
        self.objectives: list[Objective] = choose_objectives(self)
        self.reconstructs = any(objective.needs_prediction for objective in self.objectives)
        self.head: Any = None
        if self.reconstructs:
            default: Any = TransformerHead if encode == "visible" else ReconstructionHead
            default = TokenHead if backbone.takes_tokens else default
            self.head = default() if head is None else head
        check_arguments(self)
        self.embedding_metrics = embedding_metrics
        # Several modalities count alike, however large their coefficients are.
        several = len(mask_generator.names) > 1 and not backbone.takes_tokens
        self.target_scale = RunningScale() if several else None
        self.build((None, *backbone.example_shape))

    # ------------------------------------------------------------------ weights

    def build(self, input_shape: Shape) -> None:
        """Create all weights; the constructor does this."""
        if self.built:
            return
        backbone, views = self.backbone, self.mask_generator.views
        on_pixels = self.mask_on == "pixels"
        masked_shape = backbone.example_shape if on_pixels else backbone.stem_shape
        _build(self.mask_generator, (None, *masked_shape))
        if self.encode == "visible":
            self.mask_generator.check_something_is_visible()
        self.mask_token = None
        has_token = self.has_mask_token and not on_pixels and self.encode == "all"
        if has_token and self.mask_generator.hides_positions:
            self.mask_token = self.add_weight(
                shape=(masked_shape[-1],),
                initializer=TruncatedNormal(),
                name="mask_token",
            )
        if self.head is not None:
            build_head(self.head, (None, *backbone.feature_shape), backbone.target_shape)
            if not backbone.takes_tokens:
                height, width, channels = backbone.image_shape
                rows, columns = self.mask_generator.grid
                self.mask_generator.check_block((height // rows, width // columns, channels))
            if self.target_scale is not None:
                _build(self.target_scale, (len(self.mask_generator.names),))
        if self.classifier is not None:
            views_shape = (None, views, *backbone.feature_shape)
            _build(self.aggregator, views_shape)
            _build(self.classifier, self.aggregator.compute_output_shape(views_shape))
        layers, names = prepare_objectives(self)
        if layers:
            self.objective_layers = layers
        self.trackers = [TrackedMean(name) for name in names]
        self.add_step()
        self.built = True

    def depth_of(self, variable: keras.Variable) -> int:
        """Return the number of a weight's block; the mask token stands with the stem."""
        return 0 if variable is self.mask_token else super().depth_of(variable)

    # ------------------------------------------------------- the path, nothing masked

    @property
    def predicted(self) -> str:  # type: ignore[override]
        """Name what `predict` gives: class probabilities if there is a classifier."""
        return "embedding" if self.classifier is None else "probabilities"

    @property
    def num_classes(self) -> int | None:  # type: ignore[override]
        """Count the classes; None without a classifier."""
        return None if self.classifier is None else self.classifier.num_classes

    def outputs(self, features: Tensor) -> dict[str, Tensor]:
        """Give the "embedding" (B, D) and, with a classifier, the "probabilities" (B, K)."""
        outputs = super().outputs(features)
        if self.classifier is not None:
            outputs["probabilities"] = self.classifier(self.aggregate_one_view(features))
        return outputs

    def aggregate_one_view(self, features: Tensor) -> Tensor:
        """Aggregate an unmasked feature map (B, h, w, c) as if all V views had seen it."""
        view = ops.expand_dims(features, 1)
        return self.aggregator(ops.repeat(view, self.mask_generator.views, axis=1))

    # ---------------------------------------------------------- the path, with masks

    def masked_pass(
        self,
        pixels: Tensor,
        step: Tensor | int,
        training: bool,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
        crops: int = 1,
        mask_generator: MaskGenerator | None = None,
    ) -> MaskedPass:
        """Mask normalized pixels into views, encode each of them, and predict what it hid.

        Args:
            pixels: (B, H, W, C), from `normalize`, or tokens.
            step: int32 scalar that the masks are drawn from.
            training: whether layers behave as in training.
            labels: of the images, to be handed on.
            weights: of the images, to be handed on; ones if None.
            crops: of how many images, side by side, each picture consists.
            mask_generator: built for what the model masks, instead of the model's own; all tokens
                know their positions then.
        """
        generator = self.mask_generator if mask_generator is None else mask_generator
        if weights is None:
            weights = ops.ones((ops.shape(pixels)[0],), dtype="float32")
        valid = self.backbone.valid(pixels)
        found = masked_views(self, generator, pixels, step, training, valid)
        if mask_generator is None:
            lost, options = lost_positions(self, found.hidden, step)
        else:
            lost, options = None, {}
        if valid is not None:
            options["valid"] = ops.repeat(valid, generator.views, axis=0)
        if self.mask_on == "pixels":
            encoded = self.backbone.run_encoder(found.features, training, found.inside)
        else:
            encoder = self.backbone.encoder
            encoded = found.visible.encode(encoder, found.features, training, **options)
        prediction = None
        # Of tokens, hidden ones alone are scored, by the objective.
        if self.head is not None and valid is None:
            prediction = ops.cast(found.visible.decode(self.head, encoded), "float32")
            prediction = split_views(prediction, generator.views)
        return MaskedPass(
            pixels=pixels,
            masked=found.masked,
            hidden=found.hidden,
            encoded=split_views(encoded, generator.views),
            prediction=prediction,
            labels=labels,
            weights=weights,
            step=step,
            positions=found.visible.positions,
            lost=lost,
            crops=crops,
            valid=valid,
        )

    def predicted_pixels(self, masked_pass: MaskedPass) -> Tensor:
        """Give the normalized pixels (B, V, H, W, C) that each view's prediction means."""
        prediction = masked_pass.prediction
        for objective in self.objectives:
            if objective.needs_prediction:
                return objective.pixels_of(prediction, masked_pass.pixels)
        return prediction

    def logits(self, masked_pass: MaskedPass, training: bool) -> Tensor:
        """Score the classes, float32 (B, K), of masked views in training, else of whole images."""
        if training:
            aggregated = self.aggregator(masked_pass.encoded)
        else:
            features = self.backbone(masked_pass.pixels, training=False)
            aggregated = self.aggregate_one_view(features)
        classifier: Any = self.classifier
        return classifier.logits(aggregated)

    def compute_losses(self, data: Any, training: bool) -> Measured:
        """Measure a batch by every objective, each loss with what its mean over batches counts.

        Args:
            data: images, (images, labels) or (images, labels, sample_weight); images
                (B, H, W, C), or crops of them (B, c, H, W, C), uint8 or float 0–255, or tokens;
                labels integers (B,) with −1 for unlabelled.
            training: labels are predicted from the masked views in training, and from the
                unmasked image otherwise.

        Returns:
            "loss" and what every objective measured: "reconstruction_loss" and its part of each
            modality ("spatial_loss", …), "ranking_loss", "classification_loss", "accuracy", …;
            and "embedding_std" and "embedding_rank", where asked for.

        Raises:
            ValueError: for a batch that nothing can be learned from.
        """
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # torch's inductor gets int32 arithmetic on constants alone wrong, so that the evaluation's
        # step, too, comes from the variable, which is never below 0.
        step = self.step if training else ops.minimum(self.step, EVALUATION_STEP)
        images, crops = crops_of(self, images, step, training)
        pixels = self.normalize(images)
        weights = None
        if sample_weight is not None:
            weights = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        if crops > 1:
            labels, weights = (
                part if part is None else ops.repeat(ops.convert_to_tensor(part), crops, axis=0)
                for part in (labels, weights)
            )
        found = self.masked_pass(pixels, step, training, labels, weights, crops)
        if training and labels is not None and self.class_weight is not None:
            flat, _ = integer_labels(labels, len(self.class_weight))
            found = found._replace(label_weights=weights_of_labels(flat, self.class_weight))

        total = ops.zeros(()) + sum(self.losses)
        losses: dict[str, tuple[Tensor, Tensor]] = {}
        for objective in self.objectives:
            measures = objective.measure(found, training)
            means = {name: (each.mean(), each.total) for name, each in measures.items()}
            if means:
                total = total + objective.weight * means[f"{objective.name}_loss"][0]
            losses |= means
        if not losses:
            raise ValueError(
                "nothing to measure: there is no reconstruction (reconstruction_weight is 0, so "
                "fit and evaluate need labels) and no objective that takes single crops."
            )
        batch_size = kernels.batch_size(pixels)
        if self.embedding_metrics:
            features = self.backbone.with_valid(ops.mean(found.encoded, axis=1), found.valid)
            embeddings = devices.all_examples(self.backbone.pool(features))
            statistics = embedding_statistics(embeddings)
            losses |= {name: (value, batch_size) for name, value in statistics.items()}
        return Measured({"loss": (total, batch_size), **losses}, outputs={}, targets={}, weights={})

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **kwargs: Any) -> None:
        """Choose the optimizer; the other arguments are those of `BackboneModel.compile`.

        Raises:
            ValueError: for a loss or metrics, which the model brings itself: the accuracy of a
                model with a classifier is logged without being asked for.
        """
        if self.classifier is not None and kwargs.get("metrics") in ("accuracy", ["accuracy"]):
            del kwargs["metrics"]
        if kwargs.get("metrics"):
            raise ValueError(
                f"SimMIM brings its own losses and metrics, got metrics={kwargs['metrics']!r}; "
                "see reconstruction_weight and classification_weight."
            )
        super().compile(optimizer, loss, **kwargs)

    def before_fit(self, arguments: Config) -> None:
        """Look at the images, at the labels, where they are arrays, and at what masks leave.

        Args:
            arguments: of `fit`, by name.

        Raises:
            ValueError: for labels that are no classes, or batches too small for an objective.
        """
        super().before_fit(arguments)
        arguments["y"] = _labels_beside(arguments["x"], arguments["y"], arguments["sample_weight"])
        check_batch(self.objectives, arguments)
        labels = arguments["y"]
        if self.classifier is not None and isinstance(labels, np.ndarray):
            check_labels(labels, self.classifier.num_classes, "y", unlabelled=True)
        if self.reconstructs and not self.backbone.takes_tokens:
            warn_of_nothing_visible(self.mask_generator)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, with weights of images without labels too."""
        y = _labels_beside(x, y, kwargs.get("sample_weight"))
        return super().evaluate(x, y, *args, **kwargs)

    def reconstruct(
        self, images: Any, step: int = 0, shown_channels: Sequence[int] | None = None
    ) -> dict[str, np.ndarray]:
        """Show what the model sees and fills in.

        Args:
            images: array (N, H, W, C), uint8 or float 0–255; as many as to look at.
            step: the masks' step; another step gives other masks.
            shown_channels: numbers of the channels to return, one to three; all if None. Of two, a
                third of zeros makes a color.

        Returns:
            Arrays to look at, uint8 (N, H, W, C): "original"; "masked", the image without what
            was hidden (hidden blocks show the mean color); "reconstruction", the prediction of
            what was hidden, pasted into the visible pixels; and "mask", bool (N, H, W), the
            blocks that lost something. With V > 1 views, all but "original" are (N, V, …).

        Raises:
            ValueError: for a model without a reconstruction head, one of tokens, or channels that
                there are not.
        """
        if self.backbone.takes_tokens:
            raise ValueError("reconstruct shows images, and this model is one of tokens.")
        pictures = reconstruction(self, images, step)
        if shown_channels is not None:
            for name in ("original", "masked", "reconstruction"):
                pictures[name] = chosen_channels(pictures[name], shown_channels)
        return pictures

    def sheets(
        self,
        images: Any,
        truth: Any = None,
        scale: int = 1,
        shown_channels: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Lay out "reconstructions" and "masks" of images; see `BackboneModel.sheets`."""
        if not self.reconstructs or self.backbone.takes_tokens:
            return {}
        pictures = self.reconstruct(images)
        return {
            "reconstructions": sheet_of(pictures, scale, shown_channels),
            "masks": mask_sheet(pictures["mask"], scale),
        }

    def features_by_stage(self, images: Tensor) -> dict[str, Tensor]:
        """Return also the encoded masked "views", and "aggregated", what a classifier is given."""
        views = self.masked_pass(self.normalize(images), 0, training=False).encoded
        found = {**super().features_by_stage(images), "views": views}
        if self.classifier is not None:
            found["aggregated"] = self.aggregator(views)
        return found

    # ------------------------------------------------------------------ saving

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
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
            "objectives": self.given_objectives
            and [keras.saving.serialize_keras_object(part) for part in self.given_objectives],
            "crops": keras.saving.serialize_keras_object(self.crops),
        }

    @classmethod
    def from_preset(cls, name: str, **arguments: Any) -> "SimMIM":  # type: ignore[override]
        """Make a compiled model: a preset with new weights, or pretrained ones of a file.

        Args:
            name: a function of `ks.presets`, such as "simmim_vit_base"; an official ".pth" file;
                a ".keras" file; a directory, by `save_to_preset` or in Hugging Face's format; or
                "hf://owner/name" for one on the Hugging Face hub.
            **arguments: of the preset; pretrained weights take image_shape, to which their
                positions are interpolated.

        Raises:
            ValueError: for an unknown name, a shape that the preset cannot take, or weights
                that do not fit.
        """
        from keras_simmim.pretrained import presets

        return presets.from_preset(name, **arguments)


def _labels_beside(x: Any, y: Any, sample_weight: Any) -> Any:
    """Return labels of −1 for weights without labels, which Keras would drop."""
    if y is None and sample_weight is not None and hasattr(x, "__len__"):
        return np.full(len(x), -1, "int32")
    return y


def _build(layer: keras.layers.Layer, input_shape: Shape) -> None:
    """Create a layer's weights, unless they were created with its configuration."""
    if not layer.built:
        layer.build(input_shape)
