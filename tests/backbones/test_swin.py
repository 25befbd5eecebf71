"""Swin's windows, merges and shapes; its numbers are compared in tests/checkpoints."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import Swin, ViT
from keras_simmim.backbones.patch_merging import PatchMerging
from keras_simmim.backbones.swin_block import SwinBlock, window_separation
from keras_simmim.layers.relative_position_bias import offset_index

pytestmark = pytest.mark.fast_on("tensorflow", "torch")


def small(image_shape=(32, 48, 3), **arguments):
    arguments = {
        "hidden_dim": 4,
        "depths": (2, 1),
        "num_heads": (2, 2),
        "window_size": 4,
    } | arguments
    return Swin(image_shape, **arguments)


def test_an_offset_has_one_row_wherever_it_occurs():
    index = offset_index((2, 3))
    assert index.shape == (6, 6)
    # Positions 0 and 1 lie side by side, as 4 and 5 do; all 3·5 offsets occur.
    assert index[0, 1] == index[4, 5] != index[1, 0]
    assert set(index.reshape(-1)) == set(range(15))
    assert index[0, 0] == 7, "the middle of the table"
    assert index[5, 0] == 14, "down by one, right by two"
    with_token = offset_index((2, 3), class_token=True)
    np.testing.assert_array_equal(with_token[1:, 1:], index)
    assert (with_token[0, 3], with_token[3, 0], with_token[0, 0]) == (15, 16, 17)


def test_a_shift_separates_what_it_puts_side_by_side():
    """Four positions in windows of two, shifted by one: the last window joins both ends."""
    separation = window_separation((2, 4), 2, 1)[:, 0]
    assert separation.shape == (2, 4, 4)
    # In the first window the two rows are opposite ends of the map; columns are neighbours.
    rows_apart = np.kron([[0, 1], [1, 0]], np.ones((2, 2))).astype(bool)
    np.testing.assert_array_equal(separation[0] != 0, rows_apart)
    assert (separation[1] == 0).sum() == 4, "each position sees itself alone"
    assert set(np.unique(separation)) == {-100.0, 0.0}
    assert not window_separation((4, 4), 2, 0).any()


def test_attention_stays_in_its_window_and_shifts_move_the_windows():
    """Which outputs change with one input position, seen directly."""
    maps = np.random.default_rng(0).normal(size=(1, 8, 12, 4)).astype("float32")
    other = maps.copy()
    # Not the same on all channels, which a layer norm would not see.
    other[0, 1, 1] += [1, -1, 2, 0]
    for shifted, rows, columns in (
        (False, {0, 1, 2, 3}, {0, 1, 2, 3}),
        # Shifted by two, the first window holds the first two rows and columns alone.
        (True, {0, 1}, {0, 1}),
    ):
        block = SwinBlock(2, 8, window_size=4, shifted=shifted)
        block.build((None, 8, 12, 4))
        for weight in block.weights:
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
        difference = ops.convert_to_numpy(block(ops.array(maps)) - block(ops.array(other)))
        changed = np.argwhere(np.abs(difference[0]).max(axis=-1) > 1e-6)
        assert set(changed[:, 0]) == rows
        assert set(changed[:, 1]) == columns


def test_a_window_shrinks_to_a_small_map_and_does_not_shift():
    block = SwinBlock(2, 8, window_size=4, shifted=True)
    block.build((None, 3, 5, 4))
    assert (block.window, block.shift, block.padded) == (3, 0, (3, 6))
    whole = SwinBlock(2, 8, window_size=4, shifted=True)
    whole.build((None, 4, 6, 4))
    assert (whole.window, whole.shift, whole.padded) == (4, 0, (4, 8))
    larger = SwinBlock(2, 8, window_size=4, shifted=True)
    larger.build((None, 5, 6, 4))
    assert (larger.window, larger.shift, larger.padded) == (4, 2, (8, 8))


def test_four_neighbours_merge_in_the_official_order():
    merge = PatchMerging()
    merge.build((None, 3, 2, 1))
    merge.reduction.kernel.assign(np.eye(4, 2))
    maps = np.arange(6.0).reshape(1, 3, 2, 1)
    result = ops.convert_to_numpy(merge(ops.array(maps)))
    assert result.shape == (1, 2, 1, 2)
    quad = np.array([0.0, 2.0, 1.0, 3.0])
    normed = (quad - quad.mean()) / np.sqrt(quad.var() + 1e-5)
    np.testing.assert_allclose(result[0, 0, 0], normed[:2], rtol=1e-4)
    quad = np.array([4.0, 0.0, 5.0, 0.0])
    normed = (quad - quad.mean()) / np.sqrt(quad.var() + 1e-5)
    np.testing.assert_allclose(result[0, 1, 0], normed[:2], rtol=1e-4)


@pytest.mark.parametrize("image_shape", [(32, 48, 1), (40, 28, 5)])
def test_outputs_of_all_blocks_and_of_the_pyramid(image_shape):
    backbone = small(image_shape)
    height, width = image_shape[0] // 4, image_shape[1] // 4
    images = keras.Input(image_shape)
    model = keras.Model(images, backbone.block_outputs(images))
    pixels = np.random.default_rng(0).normal(size=(2, *image_shape)).astype("float32")
    outputs = [ops.convert_to_numpy(output) for output in model(pixels)]
    half = ((height + 1) // 2, (width + 1) // 2)
    assert [output.shape for output in outputs] == [
        (2, height, width, 4),
        (2, height, width, 4),
        (2, *half, 8),
    ]
    assert backbone.feature_shape == (*half, 8)
    features = ops.convert_to_numpy(backbone(ops.array(pixels)))
    np.testing.assert_allclose(outputs[-1], features, rtol=1e-5, atol=1e-5)
    pyramid = backbone.pyramid_outputs(ops.array(pixels))
    assert set(pyramid) == {"P2", "P3"}
    np.testing.assert_allclose(
        ops.convert_to_numpy(pyramid["P2"]), outputs[1], rtol=1e-5, atol=1e-5
    )


def test_the_pyramid_of_a_vit_is_one_level():
    backbone = ViT((32, 32, 3), 16, 2, 1, 8)
    assert {
        name: tuple(value.shape)
        for name, value in backbone.pyramid_outputs(ops.zeros((1, 32, 32, 3))).items()
    } == {"P4": (1, 2, 2, 8)}
    with pytest.raises(NotImplementedError, match="powers of two, got patch_size=12"):
        ViT((24, 24, 3), 12, 1, 1, 8).pyramid_outputs(ops.zeros((1, 24, 24, 3)))


def test_stochastic_depth_is_a_function_of_seed_and_step():
    pixels = np.random.default_rng(0).normal(size=(6, 32, 48, 3)).astype("float32")
    backbone = small(drop_path_rate=0.6, seed=3)
    weights = backbone.get_weights()
    first = ops.convert_to_numpy(backbone(pixels, training=True))
    second = ops.convert_to_numpy(backbone(pixels, training=True))
    assert np.abs(first - second).max() > 1e-3
    backbone.set_weights(weights)
    np.testing.assert_allclose(
        ops.convert_to_numpy(backbone(pixels, training=True)), first, rtol=1e-5, atol=1e-6
    )
    resting = ops.convert_to_numpy(backbone(pixels))
    np.testing.assert_allclose(ops.convert_to_numpy(backbone(pixels)), resting, rtol=1e-6)


def test_branches_are_kept_at_their_rate_and_scaled():
    depth = small(depths=(3, 2), drop_path_rate=0.5).encoder.stochastic_depth
    factors = ops.convert_to_numpy(depth.factors(4000))
    assert factors.shape == (5, 2, 4000)
    for block, rate in enumerate([0, 0.125, 0.25, 0.375, 0.5]):
        kept = factors[block] > 0
        np.testing.assert_allclose(factors[block][kept], 1 / (1 - rate), rtol=1e-6)
        assert abs(kept.mean() - (1 - rate)) < 0.03
    assert np.abs(np.corrcoef(factors[4] > 0)[0, 1]) < 0.06, "a block's branches are drawn apart"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window_size": 9}, r"window_size=9 does not fit into the first stage's 8×12 positions"),
        ({"window_size": 0}, "window_size must be a positive integer, got 0"),
        ({"patch_size": 5}, r"patch_size=5 must divide .*\(32, 48, 3\)"),
        ({"num_heads": (2, 3)}, "3 does not divide 8"),
        ({"num_heads": (2,)}, r"num_heads=\(2,\) must have one entry for each stage"),
        ({"depths": ()}, "must have one entry"),
        ({"drop_path_rate": 1.0}, "drop_path_rate must be at least 0 and below 1, got 1.0"),
        ({"query_key_value_bias": "key"}, "query_key_value_bias must be one of"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)
