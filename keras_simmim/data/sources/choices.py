"""Choices among images that take evenly from their classes."""

import numpy as np

from keras_simmim.data.arguments import as_choice, as_integer


def choose(
    classes: list[int],
    limit: int | None,
    validation_split: float | None,
    subset: str | None,
    seed: int,
) -> list[int]:
    """Return the sorted indices of the images that a limit and then a split leave, if any."""
    indices = list(range(len(classes)))
    if limit is not None:
        indices = choose_evenly(classes, as_integer("limit", limit, minimum=1), seed)
    if validation_split is not None or subset is not None:
        left = [classes[index] for index in indices]
        indices = [indices[place] for place in choose_subset(left, validation_split, subset, seed)]
    return indices


def choose_evenly(classes: list[int], limit: int, seed: int) -> list[int]:
    """Return `limit` sorted indices at most: random ones, as many from each class as can be."""
    generator = np.random.default_rng(seed % 2**64)
    rank = np.empty(len(classes), np.int64)
    labels = np.asarray(classes)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[generator.permutation(members)] = np.arange(len(members))
    # One of each class, then a second of each: ties among the last go to random classes.
    order = np.lexsort((generator.permutation(len(classes)), rank))
    return sorted(order[:limit].tolist())


def choose_subset(
    classes: list[int], validation_split: float | None, subset: str | None, seed: int
) -> list[int]:
    """Return the sorted indices of one side of a split, which takes evenly from the classes."""
    as_choice("subset", subset, ("training", "validation"))
    if not isinstance(validation_split, float) or not 0 < validation_split < 1:
        raise ValueError(
            f"validation_split must be a number with 0 < split < 1, got {validation_split!r}."
        )
    if len(classes) < 2:
        raise ValueError(f"validation_split needs at least 2 images to split, got {len(classes)}.")
    # Of n images of a class the i-th is held out where i·split passes a whole number.
    generator = np.random.default_rng(seed % 2**64)
    labels = np.asarray(classes)
    order = np.lexsort((generator.permutation(len(classes)), labels))
    crossings = np.floor((np.arange(len(classes)) + 1) * validation_split + 1e-9)
    held_out = np.diff(crossings, prepend=0.0) > 0
    if not held_out.any():
        held_out[-1] = True
    return sorted(order[held_out == (subset == "validation")].tolist())
