"""Which objectives a SimMIM has, of those it was given and of those that come with its parts."""

from typing import Any

from keras_simmim.objectives import Classification, Objective, Ranking, Reconstruction


def choose_objectives(model: Any) -> list[Objective]:
    """List what teaches a model.

    Args:
        model: a `SimMIM` that has its parts, but no weights yet.

    Returns:
        The given objectives, or the paper's reconstruction; after a reconstruction the ranking of
        masks that learn, and at the end the classification of a classifier.

    Raises:
        TypeError: for anything but objectives.
        ValueError: for objectives beside a weight that is theirs to have.
    """
    given, weight = model.given_objectives, model.reconstruction_weight
    if given is None:
        given = [Reconstruction(weight=weight)] if weight > 0 else []
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
        if model.mask_generator.has_ranking_loss and isinstance(objective, Reconstruction):
            objectives.append(Ranking(objective))
    if model.classifier is not None:
        objectives.append(Classification(model.logits, weight=model.classification_weight))
    return objectives
