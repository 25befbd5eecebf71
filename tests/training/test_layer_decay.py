"""Which layer a weight belongs to, and what that makes of its learning rate."""

import re

import pytest

from keras_simmim.training import layer_multiplier


def test_the_layers_of_vit_base():
    def multiplier(path):
        return layer_multiplier(f"vi_t/{path}", 0.65, (12,))

    for path in ("stem/kernel", "stem/bias", "encoder/class_token", "encoder/position_embedding"):
        assert multiplier(path) == 0.65**13
    assert layer_multiplier("sim_mim/mask_token", 0.65, (12,)) == 0.65**13
    for block in range(12):
        for name in ("mlp_hidden/kernel", "attention_scale", "query_bias"):
            assert multiplier(f"encoder/block_{block}/{name}") == 0.65 ** (12 - block)
        table = f"encoder/block_{block}_relative_position_bias/relative_position_bias_table"
        assert multiplier(table) == 0.65 ** (12 - block)
    shared = "encoder/relative_position_bias/relative_position_bias_table"
    for path in (shared, "encoder/norm/gamma", "head/norm/gamma", "head/kernel"):
        assert multiplier(path) == 1
    assert multiplier("encoder/block_0/mlp_norm/gamma") == pytest.approx(0.005688009, rel=1e-6)


def test_the_layers_of_swin_base():
    def multiplier(path):
        return layer_multiplier(f"swin/{path}", 0.9, (2, 2, 18, 2))

    for path in ("stem/patch_embedding/kernel", "stem/norm/beta"):
        assert multiplier(path) == 0.9**25
    # Blocks below: the first layer is the stem, so block 0 of stage 0 is layer 1 of 0 to 25.
    for stage, below in enumerate((0, 2, 4, 22)):
        for block in range((2, 2, 18, 2)[stage]):
            table = "relative_position_bias/relative_position_bias_table"
            for name in ("attention_norm/gamma", table, "query_key_value/kernel"):
                path = f"encoder/stage_{stage}_block_{block}/{name}"
                assert multiplier(path) == 0.9 ** (25 - (below + block + 1))
    for stage, layer in enumerate((2, 4, 22)):
        for name in ("norm/gamma", "reduction/kernel"):
            assert multiplier(f"encoder/merge_{stage}/{name}") == 0.9 ** (25 - layer)
    assert multiplier("encoder/norm/gamma") == 1


def test_blocks_that_depths_does_not_have_are_named():
    for path, depths in (
        ("encoder/block_2/query_bias", (2,)),
        ("encoder/block_0/query_bias", (2, 2)),
        ("encoder/stage_1_block_0/query_bias", (2,)),
        ("encoder/stage_0_block_2/query_bias", (2, 4)),
    ):
        with pytest.raises(ValueError, match=re.escape(f"depths={depths} has no block")):
            layer_multiplier(path, 0.5, depths)
