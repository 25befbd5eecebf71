"""The features of some images at each stage of the path, to look at."""

from typing import Any

from keras_simmim.backend.types import Tensor


def features_by_stage(model: Any, images: Tensor) -> dict[str, Tensor]:
    """Follow images through a model, and return the features behind each stage.

    Args:
        model: a `SimMIM`.
        images: (B, H, W, C), uint8 or float, 0–255.

    Returns:
        "stem" (B, h, w, c); "encoder" (B, h', w', c'), nothing masked; "views" (B, V, h', w', c'),
        the encoded masked views; and, with a classifier, "aggregated", what it is given.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np
    from keras_simmim.evaluation.features_by_stage import features_by_stage

    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images = np.zeros((2, 16, 24, 3), "uint8")
    features_by_stage(model, images)["views"].shape   # (2, 1, 4, 6, 16)
    ```
    """
    pixels = model.normalize(images)
    stem = model.backbone.stem(pixels, training=False)
    views = model.masked_pass(pixels, 0, training=False).encoded
    found = {
        "stem": stem,
        "encoder": model.backbone.encoder(stem, training=False),
        "views": views,
    }
    if model.classifier is not None:
        found["aggregated"] = model.aggregator(views)
    return found
