"""How wrong a model is about pixels of an image that it does not see."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import random_ranks
from keras_simmim.masking.draws import Draw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Modality


class HiddenErrors(keras.Model):
    """Hide some blocks of images, the same of each, and measure the model's predictions of them.

    All blocks stand in a random order, of which those are hidden that begin at `first`, a variable:
    one compiled program serves every round.

    Args:
        model: a `SimMIM` with a reconstruction head.
        modality: what hidden blocks lose.
        count: number of blocks to hide, below that of all.
        seed: of the order.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np
    from keras_simmim.evaluation.hidden_errors import HiddenErrors

    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    network = HiddenErrors(model, ks.masking.Spatial(), count=2, seed=0)
    network.first.assign(4)
    errors = network.predict(np.zeros((1, 16, 24, 3), "uint8"), verbose=0)
    int((errors > 0).sum())   # 128 pixels: two blocks of 8²
    ```
    """

    def __init__(self, model: Any, modality: Modality, count: int, seed: int) -> None:
        # Pixels of 0–255 are not for half precision.
        super().__init__(dtype="float32")
        self.model = model
        own = model.mask_generator
        self.generator = MaskGenerator(
            [modality],
            _FixedOrder(seed),
            count / (own.grid[0] * own.grid[1]),
            own.block_size,
            dtype=own.dtype_policy,
        )
        self.generator.build((None, *own.masked_shape))
        self.first = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="first"
        )
        self.built = True

    def call(self, images: Tensor) -> Tensor:
        """Give the error of each pixel (B, H, W), averaged over channels, 0 where none is hidden.

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
        """
        pixels, first = self.model.normalize(images), ops.convert_to_tensor(self.first)
        found = self.model.masked_pass(pixels, first, training=False, mask_generator=self.generator)
        predicted = self.model.predicted_pixels(found)
        filled = self.generator.fill(pixels, found.hidden, predicted)
        return ops.mean(ops.abs(filled[:, 0] - pixels), axis=-1)


class _FixedOrder(Draw):
    """Hide blocks by a random order that is the same for every image, from the step's place on.

    Args:
        seed: of the order.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def rank_blocks(self, tensor: Tensor, step: Tensor | int, grid: tuple[int, int]) -> Tensor:
        """Put the blocks of each image in the order that begins at place `step`: int32 (B, N)."""
        blocks = grid[0] * grid[1]
        ranks = random_ranks(self.seed, 0, 1, blocks) - step
        ranks = ops.where(ranks < 0, ranks + blocks, ranks)
        return ops.broadcast_to(ranks, (ops.shape(tensor)[0], blocks))
