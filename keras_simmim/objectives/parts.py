"""What a model has that an objective may need."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
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
        fields: of tokens, how many there are of each, by name; empty for images.
        head: the model's, which scores tokens; None for images.
        tables: of the fields' tokens, (V, D) each; empty for images.
    """

    mask_generator: MaskGenerator
    image_shape: tuple[int, ...]
    feature_shape: tuple[int, ...]
    patch_grid: tuple[int, int]
    embeds_positions: bool = False
    scale: RunningScale | None = None
    dtype: Any = None
    fields: Mapping[str, int] = MappingProxyType({})
    head: Any = None
    tables: Sequence[Any] = ()
