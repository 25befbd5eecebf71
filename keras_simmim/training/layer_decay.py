"""Layer-wise learning rates: how far below the output a weight lies, from its path."""

import functools
import re

_BLOCK = re.compile(r"(?:^|/)encoder/(?:stage_(\d+)_)?block_(\d+)(?:_relative_position_bias)?/")
_MERGE = re.compile(r"(?:^|/)encoder/merge_(\d+)/")
_STEM = re.compile(r"(?:^|/)(?:stem/.*|mask_token|class_token|position_embedding)$")


@functools.cache
def layer_multiplier(path: str, layer_decay: float, depths: tuple[int, ...]) -> float:
    """By how much the learning rate of a weight of `ViT` or `Swin` is multiplied.

    The network counts sum(depths) + 2 layers: the stem with the tokens and absolute positions,
    each block, and the rest. A patch merging belongs to the last block before it; a table of
    relative positions to its block, or to the rest if the blocks share it. The multiplier is
    layer_decay to the power of the number of layers above.

    Args:
        path: of the weight, as in `keras.Variable.path`.
        layer_decay: factor from one layer to the one below, above 0 and at most 1.
        depths: number of blocks of each stage; one entry for `ViT`.

    Returns:
        The multiplier, 1 for the final norm and whatever stands behind the backbone.

    Raises:
        ValueError: if `depths` has no such block.

    Source: `get_vit_layer` and `get_swin_layer` of github.com/microsoft/SimMIM, after those of
    Bao et al., "BEiT", ICLR 2022.

    Example:
    ```python
    layer_multiplier("vi_t/encoder/block_10/mlp_norm/gamma", 0.5, (12,))   # 0.25
    ```
    """
    last = sum(depths) + 1
    layer = last
    if _STEM.search(path):
        layer = 0
    elif block := _BLOCK.search(path):
        stage, index = int(block[1] or 0), int(block[2])
        is_of_another_network = block[1] is None and len(depths) > 1
        if is_of_another_network or stage >= len(depths) or index >= depths[stage]:
            raise ValueError(f"depths={depths} has no block of the path {path!r}.")
        layer = sum(depths[:stage]) + index + 1
    elif merge := _MERGE.search(path):
        layer = sum(depths[: int(merge[1]) + 1])
    return layer_decay ** (last - layer)
