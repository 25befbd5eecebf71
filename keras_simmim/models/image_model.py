"""A model of images that does no more than embed them."""

import keras

from keras_simmim.models.backbone_model import BackboneModel


@keras.saving.register_keras_serializable("keras_simmim")
class ImageModel(BackboneModel):
    """Take pixels of 0–255, normalize them and embed them by a backbone.

    Args:
        backbone: the network; it takes normalized floats.
        mean: of the pixels per channel, in 0–255 units; ImageNet's if None (for a number of
            channels other than 3, the average of its three).
        std: standard deviation of the pixels per channel, likewise.
        **kwargs: passed to `keras.Model`; and `value_range` and `channel_names`, see
            `BackboneModel`, which `fit` takes from its data set if they are None.

    Raises:
        ValueError: for a mean or std that does not fit the channels.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    ks.models.ImageModel(backbone).embed(np.zeros((2, 16, 24, 3), "uint8")).shape   # (2, 8)
    ```
    """
