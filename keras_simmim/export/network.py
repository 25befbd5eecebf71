"""What of a model is exported: the path from inputs to outputs, and nothing that only trains."""

import keras

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Tensor
from keras_simmim.models.backbone_model import BackboneModel
from keras_simmim.models.image_model import ImageModel

Values = float | tuple[float, ...] | None


def as_backbone_model(model: keras.Model, mean: Values = None, std: Values = None) -> BackboneModel:
    """Check a model that is to be exported; a bare backbone becomes one that normalizes.

    Args:
        model: a `SimMIM`, an `ImageClassifier`, an `ImageSegmenter`, an `ObjectDetector`, a
            `TextClassifier`, a `SequenceRecommender` or a `Backbone`.
        mean: of the pixels per channel, in 0–255 units, for a `Backbone`, which does not
            normalize; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.

    Raises:
        ValueError: for another model, or a mean or std beside the model's own.
    """
    if isinstance(model, Backbone):
        embedding = ImageModel(model, mean=mean, std=std)
        embedding.build((None, *model.example_shape))
        return embedding
    if not isinstance(model, BackboneModel):
        raise ValueError(
            "model must be a SimMIM, an ImageClassifier, an ImageSegmenter, an ObjectDetector, a "
            f"TextClassifier, a SequenceRecommender or a Backbone, got {model!r}."
        )
    if mean is not None or std is not None:
        if model.backbone.takes_tokens:
            raise ValueError(f"mean and std are for images, got mean={mean!r}, std={std!r}.")
        raise ValueError(
            f"mean and std are for a bare backbone; {type(model).__name__} has its own, "
            f"got mean={mean!r}, std={std!r}."
        )
    return model


class Network(keras.Model):
    """Give what a model exports with `raw=True`, for Keras' exporter, which takes models alone.

    A functional model would not do: what its layers make constants of is an input of the file.

    Args:
        model: from `as_backbone_model`; the weights are its own.
    """

    def __init__(self, model: BackboneModel) -> None:
        super().__init__(name="network")
        self.model = model
        self.built = True

    def call(self, images: Tensor) -> dict[str, Tensor]:
        """Take float32 pixels of 0–255 (B, H, W, C), or values of a model's range, or tokens."""
        if not self.model.backbone.takes_tokens:
            images = self.model.inputs_taken.from_values(images)
        return self.model.exported(images, raw=True)
