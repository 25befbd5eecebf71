"""Which parts of a SimMIM go together."""

import keras

from keras_simmim.backbones import Backbone, ViT
from keras_simmim.heads import ClassificationHead
from keras_simmim.masking import MaskGenerator


def check_arguments(
    backbone: Backbone,
    mask_generator: MaskGenerator,
    classifier: ClassificationHead | None,
    mask_on: str,
    encode: str,
    reconstruction_weight: float,
    classification_weight: float,
) -> None:
    """Raise ValueError for arguments of `SimMIM` out of range, or that cannot learn together."""
    if mask_on not in ("features", "pixels"):
        raise ValueError(f"mask_on must be 'features' or 'pixels', got {mask_on!r}.")
    if encode not in ("all", "visible"):
        raise ValueError(f"encode must be 'all' or 'visible', got {encode!r}.")
    for name, weight in (
        ("reconstruction_weight", reconstruction_weight),
        ("classification_weight", classification_weight),
    ):
        if weight < 0:
            raise ValueError(f"{name} must be at least 0, got {weight}.")
    if reconstruction_weight == 0 and (classifier is None or classification_weight == 0):
        raise ValueError(
            "nothing to learn: reconstruction_weight is 0 and there is no classifier "
            "with a classification_weight above 0."
        )
    if reconstruction_weight > 0 and mask_generator.needs_labels:
        raise ValueError(
            f"{type(mask_generator).__name__} would learn to hide nothing; use it with a "
            "classifier and reconstruction_weight=0."
        )
    looks_around = not isinstance(backbone.encoder, keras.layers.Identity)
    if mask_on == "features" and reconstruction_weight > 0 and not looks_around:
        raise ValueError(
            f"{type(backbone).__name__}'s encoder is the identity, so nothing can fill in "
            "masked features. Use mask_on='pixels', or learn from labels alone with a "
            "classifier and reconstruction_weight=0."
        )
    if encode == "visible":
        _check_visible(backbone, mask_generator, classifier, mask_on)


def _check_visible(
    backbone: Backbone,
    mask_generator: MaskGenerator,
    classifier: ClassificationHead | None,
    mask_on: str,
) -> None:
    """Raise ValueError unless an encoder can leave out what is hidden."""
    if not isinstance(backbone, ViT):
        raise ValueError(
            "encode='visible' needs a ViT, whose tokens can be left out one by one, "
            f"got backbone={type(backbone).__name__}."
        )
    arguments = backbone.arguments
    if not arguments["position_embedding"] or arguments["relative_position_bias"] is not None:
        raise ValueError(
            "encode='visible' needs a ViT with position_embedding=True and "
            "relative_position_bias=None, got "
            f"position_embedding={arguments['position_embedding']} and "
            f"relative_position_bias={arguments['relative_position_bias']!r}."
        )
    if mask_on != "features":
        raise ValueError(f"encode='visible' needs mask_on='features', got {mask_on!r}.")
    if not mask_generator.hides_whole_positions:
        raise ValueError(
            "encode='visible' needs masks that hide whole positions in one view, as those of "
            "SpatialMasking do, and not those of several rounds or of LearnedMasking with "
            f"adversarial=True, got mask_generator={type(mask_generator).__name__}."
        )
    if classifier is not None and classifier.pooling == "flatten":
        raise ValueError(
            "encode='visible' trains the classifier on the visible positions alone, so that its "
            "pooling must be 'mean' or 'attention', got 'flatten'."
        )
