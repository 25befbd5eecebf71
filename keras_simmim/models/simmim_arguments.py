"""Which parts of a SimMIM go together."""

import warnings
from typing import Any

import keras

from keras_simmim.backend.types import Config
from keras_simmim.heads import TokenHead
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
    if backbone.takes_tokens:
        _check_tokens(model)
    learns_labels = model.classifier is not None and model.classification_weight > 0
    others = [each for each in model.given_objectives or () if each.weight > 0]
    if not model.reconstructs and not learns_labels and not others:
        raise ValueError(
            "nothing to learn: reconstruction_weight is 0 and there is no classifier "
            "with a classification_weight above 0, nor another objective with such a weight."
        )
    if generator.needs_labels and (model.reconstructs or others):
        raise ValueError(
            f"{type(generator).__name__} would learn to hide nothing; use it with a "
            "classifier and reconstruction_weight=0, without objectives."
        )
    if model.mask_on == "features" and model.reconstructs and not backbone.looks_around:
        raise ValueError(
            f"{type(backbone).__name__}'s encoder is the identity, so nothing can fill in "
            "masked features. Use mask_on='pixels', or learn from labels alone with a "
            "classifier and reconstruction_weight=0."
        )
    if model.mask_on == "pixels" and any(each.loses_positions for each in model.objectives):
        raise ValueError(
            "Jigsaw needs mask_on='features', whose patches are hidden or not as a whole, got "
            "mask_on='pixels'."
        )
    if model.mask_on == "features" and backbone.masks_stem:
        _check_masked_stem(generator)
    if model.encode == "visible":
        _check_visible(model)


def _check_tokens(model: Any) -> None:
    """Raise ValueError for what a model of images has, and one of tokens has not."""
    if model.classifier is not None:
        raise ValueError(
            "classifier must be None for tokens, got one: pretrain, and then make a "
            "ks.TextClassifier.from_pretrained(model, num_classes)."
        )
    for name, value, usual in (
        ("mask_on", model.mask_on, "features"),
        ("encode", model.encode, "all"),
        ("crops", model.crops, None),
    ):
        if value != usual:
            raise ValueError(f"{name} must be {usual!r} for tokens, got {value!r}.")
    if model.head is not None and not isinstance(model.head, TokenHead):
        raise ValueError(f"head must be a TokenHead for tokens, got {type(model.head).__name__}.")


def check_batch(objectives: Any, arguments: Config) -> None:
    """Raise ValueError for batches with fewer images than an objective compares.

    Args:
        objectives: of a model.
        arguments: of `fit`, by name.
    """
    least = max((each.least_images for each in objectives), default=1)
    x, size = arguments["x"], arguments["batch_size"] or 32
    if hasattr(x, "element_spec"):
        first = keras.tree.flatten(x.element_spec)[0]
        size = first.shape[0] if len(first.shape) else size
    elif hasattr(x, "shape"):
        size = min(size, len(x))
    if size is not None and size < least:
        names = [type(each).__name__ for each in objectives if each.least_images > size]
        raise ValueError(
            f"{', '.join(names)} compares the images of a batch: batch_size must be at least "
            f"{least}, got {size}."
        )


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


def _check_masked_stem(generator: Any) -> None:
    """Raise ValueError unless a stem that looks around can be masked inside."""
    whole = all(modality.hides_all for modality in generator.modalities)
    if not whole or generator.scores_features or generator.needs_labels:
        raise ValueError(
            "stem='conv' looks around, so that it is masked inside: by masks that hide whole "
            "positions at random, such as SpatialMasking, on its features, or by any on pixels "
            f"(mask_on='pixels'); got {type(generator).__name__}."
        )


def _check_visible(model: Any) -> None:
    """Raise ValueError unless an encoder can leave out what is hidden, and a head fill it in."""
    inside = model.mask_on == "pixels" and model.backbone.masks_inside
    if not model.backbone.encodes_subsets and not inside:
        config = model.backbone.get_config()
        raise ValueError(
            "encode='visible' needs a ViT with position_embedding=True and "
            "relative_position_bias=None, whose tokens can be left out one by one, got "
            f"backbone={type(model.backbone).__name__} with "
            f"position_embedding={config.get('position_embedding')} and "
            f"relative_position_bias={config.get('relative_position_bias')!r}."
        )
    if model.mask_on != "features" and not inside:
        raise ValueError(f"encode='visible' needs mask_on='features', got {model.mask_on!r}.")
    if not model.mask_generator.hides_whole_positions:
        raise ValueError(
            "encode='visible' needs masks that hide whole positions, as many in each view, as "
            "those of SpatialMasking do, and not those of several rounds or of LearnedMasking with "
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
