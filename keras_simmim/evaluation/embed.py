"""Embeddings of images, by the output of any block."""

from typing import Any

import numpy as np


def embed(
    model: Any, images: Any, block: int | None = None, batch_size: int | None = None
) -> np.ndarray:
    """Embed unmasked images: the mean of a block's features over positions.

    Args:
        model: a `SimMIM` or `ImageClassifier`.
        images: array (N, H, W, C), uint8 or float 0–255, or a dataset of image batches or
            (images, labels) batches.
        block: which block's output, counted from 0, from the last if negative; the backbone's
            features if None. Middle blocks often know more than the last.
        batch_size: images at a time, for arrays; 32 if None.

    Returns:
        float32 array (N, D).

    Raises:
        ValueError: for a block that the backbone does not have.
        NotImplementedError: for a block of a backbone that does not consist of blocks.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.ViT((16, 24, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(block_size=2))
    images = np.random.randint(0, 256, (8, 16, 24, 3), "uint8")
    ks.evaluation.embed(model, images, block=0).shape   # (8, 16)
    ```
    """
    if block is None:
        return model.embed(images, batch_size=batch_size)
    return block_of(model.embed_blocks(images, batch_size=batch_size), block)


def block_of(blocks: list[np.ndarray], block: int | None) -> np.ndarray:
    """Choose the embedding by one block; None stands for the only one.

    Raises:
        ValueError: for a block that is not there.
    """
    if block is None:
        return blocks[0]
    if not -len(blocks) <= block < len(blocks):
        raise ValueError(
            f"block must be from {-len(blocks)} to {len(blocks) - 1} of this backbone, "
            f"got {block!r}."
        )
    return blocks[block]
