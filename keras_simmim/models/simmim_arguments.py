"""Which parts of a SimMIM go together."""

import warnings
from typing import Any

from keras_simmim.heads.head import fills_in


def check_arguments(model: Any) -> None:
    """Raise ValueError for arguments of `SimMIM` out of range, or that cannot learn together.

    Args:
        model: a `SimMIM` that has its parts, but no weights yet.
    """
    if model.mask_on not in ("features", "pixels"):
        raise ValueError(f"mask_on must be 'features' or 'pixels', got {model.mask_on!r}.")
    if model.encode not in ("all", "visible"):
        raise ValueError(f"encode must be 'all' or 'visible', got {model.encode!r}.")
    for name, weight in (
        ("reconstruction_weight", model.reconstruction_weight),
        ("classification_weight", model.classification_weight),
    ):
        if weight < 0:
            raise ValueError(f"{name} must be at least 0, got {weight}.")
    generator, backbone = model.mask_generator, model.backbone
    learns_labels = model.classifier is not None and model.classification_weight > 0
    if not model.reconstructs and not learns_labels:
        raise ValueError(
            "nothing to learn: reconstruction_weight is 0 and there is no classifier "
            "with a classification_weight above 0."
        )
    if model.reconstructs and generator.needs_labels:
        raise ValueError(
            f"{type(generator).__name__} would learn to hide nothing; use it with a "
            "classifier and reconstruction_weight=0."
        )
    if model.mask_on == "features" and model.reconstructs and not backbone.looks_around:
        raise ValueError(
            f"{type(backbone).__name__}'s encoder is the identity, so nothing can fill in "
            "masked features. Use mask_on='pixels', or learn from labels alone with a "
            "classifier and reconstruction_weight=0."
        )
    if model.encode == "visible":
        _check_visible(model)


def warn_of_nothing_visible(generator: Any) -> None:
    """Warn of masks that hide all of an image.

    Args:
        generator: a `MaskGenerator` that is built.
    """
    if generator.hides_everything:
        rows, columns = generator.grid
        warnings.warn(
            f"{type(generator).__name__} hides all {rows * columns} blocks of an image, so that "
            "nothing is left to predict them from: take smaller blocks (block_size="
            f"{generator.block_size}) or a smaller ratio ({generator.ratio}).",
            stacklevel=4,
        )


def _check_visible(model: Any) -> None:
    """Raise ValueError unless an encoder can leave out what is hidden, and a head fill it in."""
    if not model.backbone.encodes_subsets:
        config = model.backbone.get_config()
        raise ValueError(
            "encode='visible' needs a ViT with position_embedding=True and "
            "relative_position_bias=None, whose tokens can be left out one by one, got "
            f"backbone={type(model.backbone).__name__} with "
            f"position_embedding={config.get('position_embedding')} and "
            f"relative_position_bias={config.get('relative_position_bias')!r}."
        )
    if model.mask_on != "features":
        raise ValueError(f"encode='visible' needs mask_on='features', got {model.mask_on!r}.")
    if not model.mask_generator.hides_whole_positions:
        raise ValueError(
            "encode='visible' needs masks that hide whole positions in one view, as those of "
            "SpatialMasking do, and not those of several rounds or of LearnedMasking with "
            f"adversarial=True, got mask_generator={type(model.mask_generator).__name__}."
        )
    if model.classifier is not None and model.classifier.pooling == "flatten":
        raise ValueError(
            "encode='visible' trains the classifier on the visible positions alone, so that its "
            "pooling must be 'mean' or 'attention', got 'flatten'."
        )
    if model.head is not None and not fills_in(model.head):
        raise ValueError(
            "encode='visible' needs a TransformerHead, which fills in what the encoder "
            f"did not see, got head={type(model.head).__name__}."
        )
