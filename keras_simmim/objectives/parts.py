"""What a model has that an objective may need."""

from typing import Any, NamedTuple

from keras_simmim.masking import MaskGenerator
from keras_simmim.objectives.running_scale import RunningScale


class Parts(NamedTuple):
    """Hold the parts and the sizes of a model that objectives are made ready for.

    Args:
        mask_generator: the model's, built.
        image_shape: (H, W, C) of its images.
        feature_shape: (h', w', D) of the encoded features.
        patch_grid: numbers of rows and columns of patches, in which the pixels are predicted.
        embeds_positions: whether positions are known from embeddings alone: see `Backbone`.
        scale: running sizes of the modalities' targets; None for one modality.
        dtype: precision policy of layers.
    """

    mask_generator: MaskGenerator
    image_shape: tuple[int, int, int]
    feature_shape: tuple[int, int, int]
    patch_grid: tuple[int, int]
    embeds_positions: bool = False
    scale: RunningScale | None = None
    dtype: Any = None
