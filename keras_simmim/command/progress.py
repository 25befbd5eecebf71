"""What a model makes of many images, with Keras' bar that shows how far it is."""

import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import keras
import numpy as np

# Batches that are given to the model at once: each time, Keras' `predict` begins anew.
_BATCHES = 16


def shown(dataset: Any, function: Callable[[np.ndarray], Any], labels: bool = False) -> Any:
    """Call a function with pieces of a data set, and put what it gives behind each other.

    Args:
        dataset: of `ks.data`, of images or of pairs of images and labels.
        function: of images (N, H, W, C).
        labels: whether to return the labels too.

    Returns:
        What the function gave for all images; with labels, a pair.
    """
    bar = keras.utils.Progbar(
        dataset.image_count, verbose=1 if sys.stdout.isatty() else 0, unit_name="image"
    )
    results, found, done = [], [], 0
    batches = iter(dataset.as_numpy_iterator())
    while piece := list(islice(batches, _BATCHES)):
        pairs = [batch if isinstance(batch, tuple) else (batch, None) for batch in piece]
        images = np.concatenate([batch for batch, _ in pairs])
        results.append(function(images))
        if labels:
            found += [batch for _, batch in pairs]
        done += len(images)
        bar.update(done)
    if done < dataset.image_count:
        # Broken files are none of them.
        bar.update(dataset.image_count, finalize=True)
    made = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *results)
    return (made, np.concatenate(found)) if labels else made
