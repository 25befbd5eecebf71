"""What of a model is exported: the path from pixels to outputs, and nothing that only trains."""

import keras
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.models.image_model import ImageModel
from keras_simmim.models.normalization import IMAGENET_MEAN, IMAGENET_STD, per_channel

Values = float | tuple[float, ...] | None


def check_model(model: keras.Model, mean: Values, std: Values) -> Backbone:
    """The backbone of a model that can be exported.

    Raises:
        ValueError: for another model, or a mean or std beside the model's own.
    """
    if isinstance(model, Backbone):
        return model
    if not isinstance(model, ImageModel):
        raise ValueError(
            f"model must be a SimMIM, an ImageClassifier or a Backbone, got {model!r}."
        )
    if mean is not None or std is not None:
        raise ValueError(
            f"mean and std are for a bare backbone; {type(model).__name__} has its own, "
            f"got mean={mean!r}, std={std!r}."
        )
    return model.backbone


def normalisation(model: keras.Model, mean: Values, std: Values) -> dict[str, tuple[float, ...]]:
    """The mean and std of pixels per channel: the model's own, or those for a bare backbone."""
    channels = check_model(model, mean, std).image_shape[-1]
    mean, std = getattr(model, "mean", mean), getattr(model, "std", std)
    return {
        "mean": per_channel("mean", mean, IMAGENET_MEAN, channels),
        "std": per_channel("std", std, IMAGENET_STD, channels),
    }


def network(model: keras.Model, mean: Values = None, std: Values = None) -> keras.Model:
    """The unmasked path of a model, as a functional model on the model's own weights.

    Args:
        model: a `SimMIM`, an `ImageClassifier` or a `Backbone`.
        mean: of the pixels per channel, in 0–255 units, for a `Backbone`, which does not
            normalise; ImageNet's if None.
        std: standard deviation of the pixels per channel, likewise.

    Returns:
        A model from float32 pixels of 0–255 (B, H, W, C), "images", to a dictionary of float32
        "embedding" (B, D) and, where there is a classifier, "probabilities" (B, K).
    """
    backbone = check_model(model, mean, std)
    means, stds = normalisation(model, mean, std).values()
    normalise = keras.layers.Rescaling(
        scale=[1 / value for value in stds],
        offset=[-center / value for center, value in zip(means, stds, strict=True)],
        dtype="float32",
        name="normalise",
    )
    images = keras.Input(backbone.image_shape, dtype="float32", name="images")
    features = backbone(normalise(images))
    outputs = {"embedding": ops.mean(ops.cast(features, "float32"), axis=(1, 2))}
    classifier = getattr(model, "classifier", None)
    if classifier is not None:
        aggregate = getattr(model, "aggregate_one_view", lambda features: features)
        outputs["probabilities"] = classifier(aggregate(features))
    return keras.Model(images, outputs, name="network")
