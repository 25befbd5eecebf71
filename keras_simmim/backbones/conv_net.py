"""The article's CNN: a stack of convolutions."""

from typing import Any

import keras

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.masked_call import masked_call
from keras_simmim.backend.types import Config, Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class ConvNet(Backbone):
    """Stack convolutions with ReLU; the encoder is the identity.

    With one layer of 64 filters this is the article's case study. Since nothing after the mask
    looks around it, masking this network's features teaches it only with labels; masking its
    pixels (`SimMIM(…, mask_on="pixels")`) also works without.

    Args:
        image_shape: (H, W, C) of the images, in pixels.
        filters: output channels of each convolution, one entry a layer.
        kernel_size: side of every convolution's window, in positions.
        strides: step of every convolution, in positions.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for an empty `filters`, or numbers that are not positive integers.

    Example:
    ```python
    import keras
    import keras_simmim as ks

    backbone = ks.backbones.ConvNet((32, 32, 3), filters=(64,))
    backbone(keras.random.normal((2, 32, 32, 3))).shape   # (2, 32, 32, 64)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        filters: tuple[int, ...] = (64,),
        kernel_size: int = 3,
        strides: int = 1,
        **kwargs: Any,
    ) -> None:
        filters = tuple(filters)
        for name, values in (
            ("filters", filters),
            ("kernel_size", (kernel_size,)),
            ("strides", (strides,)),
        ):
            if not values or not all(isinstance(value, int) and value > 0 for value in values):
                raise ValueError(f"{name} must hold positive integers, got {values!r}.")
        dtype = kwargs.get("dtype")
        stem = keras.Sequential(
            [
                keras.layers.Conv2D(
                    count,
                    kernel_size,
                    strides,
                    padding="same",
                    data_format="channels_last",
                    activation="relu",
                    dtype=dtype,
                )
                for count in filters
            ],
            name="stem",
        )
        encoder = keras.layers.Identity(name="encoder", dtype=dtype)
        super().__init__(image_shape, stem, encoder, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides

    @property
    def masks_inside(self) -> bool:
        """Tell whether stem and encoder can keep what is hidden out of every convolution."""
        return True

    def run_stem(
        self, images: Tensor, training: bool | None = None, visible: Tensor | None = None
    ) -> Tensor:
        """Return local features (B, h, w, c) of images, zero where hidden."""
        if visible is None:
            return super().run_stem(images, training)
        return masked_call(self.stem, images, visible, training)

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
        }
