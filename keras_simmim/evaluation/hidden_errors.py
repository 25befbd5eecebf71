"""How wrong a model is about each pixel of an image, when it does not see it."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.layers.hashing import random_ranks
from keras_simmim.masking.draws import Draw
from keras_simmim.masking.mask_generator import MaskGenerator
from keras_simmim.masking.modalities import Modality
from keras_simmim.masking.sharing import largest_remainder


class HiddenErrors(keras.Model):
    """Hide every block of images in one of several rounds, and measure the model's predictions.

    A block is hidden once in each of the modalities that the model's masks hide.

    Args:
        model: a `SimMIM` with a reconstruction head.
        rounds: number of rounds, from 2 to the number of blocks.
        seed: of the rounds' blocks, the same for every image.

    Raises:
        ValueError: for a number of rounds out of range.

    Example:
    ```python
    import keras_simmim as ks
    import numpy as np
    from keras_simmim.evaluation.hidden_errors import HiddenErrors

    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    errors = HiddenErrors(model, rounds=3, seed=0)
    errors.predict(np.zeros((2, 16, 24, 3), "uint8"), verbose=0).shape   # (2, 16, 24)
    ```
    """

    def __init__(self, model: Any, rounds: int, seed: int) -> None:
        # Pixels of 0–255 are not for half precision.
        super().__init__(dtype="float32")
        rows, columns = model.mask_generator.grid
        if not 2 <= rounds <= rows * columns:
            raise ValueError(
                f"rounds must be from 2 to the {rows * columns} blocks of this model's masks, got "
                f"{rounds!r}."
            )
        self.model = model
        self.generators = [
            complementary_masks(model.mask_generator, modality, rounds, seed)
            for modality in model.mask_generator.modalities
        ]
        self.built = True

    def call(self, images: Tensor) -> Tensor:
        """Give the error of each pixel, averaged over channels and modalities: (B, H, W).

        Args:
            images: (B, H, W, C), uint8 or float, 0–255.
        """
        model = self.model
        pixels = model.normalize(images)
        total = ops.zeros_like(pixels)
        for generators in self.generators:
            for generator in generators:
                found = model.masked_pass(pixels, 0, training=False, mask_generator=generator)
                predicted = model.predicted_pixels(found)
                filled = generator.fill(pixels, found.hidden, predicted)
                # What was not hidden is as it was, and adds nothing.
                total = total + ops.abs(filled[:, 0] - pixels)
        return ops.mean(total, axis=-1) / len(self.generators)


def complementary_masks(
    generator: MaskGenerator, modality: Modality, rounds: int, seed: int
) -> list[MaskGenerator]:
    """Make generators of one view that hide every block once, all together.

    Args:
        generator: built, whose blocks they hide.
        modality: what hidden blocks lose.
        rounds: number of generators.
        seed: of the blocks' order.
    """
    rows, columns = generator.grid
    counts = largest_remainder(rows * columns, [1] * rounds)
    made = []
    for first, count in zip(np.cumsum(counts) - counts, counts, strict=True):
        masks = MaskGenerator(
            [modality],
            _Stretch(seed, int(first)),
            int(count) / (rows * columns),
            generator.block_size,
            dtype=generator.dtype_policy,
        )
        masks.build((None, *generator.masked_shape))
        made.append(masks)
    return made


class _Stretch(Draw):
    """Hide the blocks from some place on in a random order that all images share.

    Args:
        seed: of the order.
        first: the place.
    """

    def __init__(self, seed: int, first: int) -> None:
        self.seed, self.first = seed, first

    def rank_blocks(self, tensor: Tensor, step: Tensor | int, grid: tuple[int, int]) -> Tensor:
        """Put the blocks of each image in the order: int32 (B, N)."""
        blocks = grid[0] * grid[1]
        ranks = random_ranks(self.seed, 0, 1, blocks) + (blocks - self.first)
        ranks = ops.where(ranks >= blocks, ranks - blocks, ranks)
        return ops.broadcast_to(ranks, (ops.shape(tensor)[0], blocks))
