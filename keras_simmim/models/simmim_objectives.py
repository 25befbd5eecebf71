"""Which objectives a SimMIM has, of those it was given and of those that come with its parts."""

from typing import Any

import keras

from keras_simmim.objectives import (
    Classification,
    HiddenTokens,
    Objective,
    Parts,
    Ranking,
    Reconstruction,
)


def choose_objectives(model: Any) -> list[Objective]:
    """List what teaches a model.

    Args:
        model: a `SimMIM` that has its parts, but no weights yet.

    Returns:
        The given objectives, or the paper's reconstruction, or of tokens to name them; after it
        the ranking of masks that learn, and at the end the classification of a classifier.

    Raises:
        TypeError: for anything but objectives.
        ValueError: for objectives beside a weight that is theirs to have.
    """
    given, weight = model.given_objectives, model.reconstruction_weight
    if given is None:
        usual: Any = HiddenTokens if model.backbone.takes_tokens else Reconstruction
        given = [usual(weight=weight)] if weight > 0 else []
    else:
        for objective in given:
            if not isinstance(objective, Objective):
                raise TypeError(f"objectives must be ks.objectives.Objective, got {objective!r}.")
        if weight != 1:
            raise ValueError(
                f"reconstruction_weight must be left at 1 beside objectives, got {weight}: give "
                "Reconstruction(weight=…) the weight."
            )
    objectives: list[Objective] = []
    for objective in given:
        objectives.append(objective)
        if model.mask_generator.has_ranking_loss and objective.needs_prediction:
            objectives.append(Ranking(objective))
    if model.classifier is not None:
        objectives.append(Classification(model.logits, weight=model.classification_weight))
    return objectives


def prepare_objectives(model: Any) -> tuple[list[keras.layers.Layer], list[str]]:
    """Make the objectives ready for a model, which is to own and save their layers.

    Args:
        model: a `SimMIM`, built but for its objectives.

    Returns:
        The layers, and the names of all that the model logs.

    Raises:
        ValueError: for losses of one name, or a model that an objective cannot teach.
    """
    backbone, generator = model.backbone, model.mask_generator
    parts = Parts(
        mask_generator=generator,
        image_shape=backbone.example_shape,
        feature_shape=backbone.feature_shape,
        patch_grid=generator.grid if model.mask_on == "pixels" else backbone.feature_shape[:2],
        embeds_positions=backbone.embeds_positions,
        scale=model.target_scale,
        dtype=model.dtype_policy,
        fields=backbone.fields,
        head=model.head,
        tables=backbone.tables,
    )
    names = ["loss", "gradient_norm"]
    for objective in model.objectives:
        if objective.is_prepared:
            raise ValueError(
                f"objectives must be new ones for each model, got the {type(objective).__name__} "
                "of another."
            )
        objective.prepare(parts)
        objective.is_prepared = True
        names += objective.log_names()
    if len(set(names)) < len(names):
        raise ValueError(
            f"objectives must have different names, got losses {names[2:]}: give one a name="
        )
    if model.embedding_metrics:
        names += ["embedding_std", "embedding_rank"]
    return [layer for objective in model.objectives for layer in objective.layers], names
