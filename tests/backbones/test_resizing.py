"""Weights between backbones of other sizes and variants."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import Swin, ViT
from keras_simmim.backbones.resizing import resize_bias_table

pytestmark = pytest.mark.fast_on("torch")

OFFICIAL = {
    "position_embedding": False,
    "relative_position_bias": "shared",
    "class_token": True,
    "query_key_value_bias": "query_value",
    "layer_scale": 0.1,
}


def vit(image_shape=(16, 24, 3), **arguments):
    backbone = ViT(image_shape, 4, num_layers=2, num_heads=2, hidden_dim=8, **arguments)
    generator = np.random.default_rng(0)
    for weight in backbone.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    return backbone


def by_name(backbone):
    return {
        weight.path.split("/", 1)[1]: ops.convert_to_numpy(weight) for weight in backbone.weights
    }


def test_fine_tuning_gives_each_block_the_shared_bias_and_drops_the_norm():
    source = vit(**OFFICIAL)
    target = source.resize(
        (16, 24, 3), relative_position_bias="block", final_norm=False, drop_path_rate=0.1
    )
    have, got = by_name(source), by_name(target)
    table = have["encoder/relative_position_bias/relative_position_bias_table"]
    for block in range(2):
        name = f"encoder/block_{block}_relative_position_bias/relative_position_bias_table"
        np.testing.assert_array_equal(got.pop(name), table)
    assert got.pop("encoder/stochastic_depth/step") == 0
    assert set(have) - set(got) == {
        "encoder/relative_position_bias/relative_position_bias_table",
        "encoder/norm/gamma",
        "encoder/norm/beta",
    }
    for name, value in got.items():
        np.testing.assert_array_equal(value, have[name])
    # What precedes the norm is the same function.
    pixels = np.random.default_rng(1).normal(size=(2, 16, 24, 3)).astype("float32")
    np.testing.assert_allclose(
        ops.convert_to_numpy(source.block_outputs(pixels)[0]),
        ops.convert_to_numpy(target.block_outputs(pixels)[0]),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_shared_bias_is_not_dropped_unsaid():
    with pytest.raises(ValueError, match=r"Left over: .*relative_position_bias_table"):
        vit(**OFFICIAL).resize((16, 24, 3), relative_position_bias=None)


def test_the_same_size_changes_nothing():
    source = vit(**OFFICIAL)
    have, got = by_name(source), by_name(source.resize((16, 24, 3)))
    assert set(have) == set(got)
    assert all(np.array_equal(have[name], got[name]) for name in have)


def test_a_table_keeps_its_middle_and_its_class_token_rows():
    """The middle offset lies at 0 in both; a constant stays one, and a bowl stays a bowl."""
    rows, columns = (np.arange(side) - side // 2 for side in (9, 13))
    bowl = (rows[:, None] ** 2 + 2 * columns**2).reshape(-1, 1).astype("float32")
    table = np.concatenate([bowl, [[7.0], [8.0], [9.0]]]).astype("float32")
    resized = resize_bias_table(table, (5, 7), (8, 9))
    np.testing.assert_array_equal(resized[-3:], table[-3:])
    grid = resized[:-3].reshape(15, 17)
    assert grid[7, 8] == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(grid, grid[::-1, ::-1], atol=1e-3)
    assert (np.diff(grid[7:, 8]) > 0).all()
    # The outermost offsets of both lie at the same distance.
    assert grid[0, 8] == pytest.approx(16, rel=0.02)
    assert grid[7, 0] == pytest.approx(72, rel=0.02)
    constant = resize_bias_table(np.full((63, 2), 3.0, "float32"), (4, 5), (6, 3))
    np.testing.assert_allclose(constant, 3, rtol=1e-6)
    assert constant.shape == (11 * 5, 2)


def test_offsets_lie_geometrically():
    """By hand: 3 old steps that reach as far as 4 new ones lie at 1, 1 + q and 1 + q + q²."""
    ratio = np.roots([1, 1, 1 - 4]).max()
    table = np.zeros((7, 1), "float32")
    table[:, 0] = [-4, -(1 + ratio), -1, 0, 1, 1 + ratio, 4]
    resized = resize_bias_table(table, (4, 1), (5, 1))
    # Each old offset holds its own place, so that each new one must give its own.
    np.testing.assert_allclose(resized[:, 0], np.arange(-4, 5), atol=1e-3)


def test_positions_are_interpolated_over_the_image():
    source = vit((16, 16, 3))
    columns = np.tile((np.arange(4) + 0.5) / 4, (4, 1)).reshape(16, 1)
    source.encoder.position_embedding.assign(np.repeat(columns, 8, axis=1))
    target = source.resize((24, 32, 3))
    table = ops.convert_to_numpy(target.encoder.position_embedding).reshape(6, 8, 8)
    expected = np.clip((np.arange(8) + 0.5) / 8, 0.125, 0.875)
    np.testing.assert_allclose(table[0, :, 0], expected, atol=1e-5)
    np.testing.assert_allclose(table[5, :, 7], expected, atol=1e-5)


def test_swin_takes_another_window_and_positions():
    source = Swin((32, 32, 3), 4, 4, (2, 1), (2, 2), window_size=4, position_embedding=True)
    target = source.resize((48, 40, 3), window_size=5)
    assert target.feature_shape == (6, 5, 8)
    name = "encoder/stage_0_block_0/relative_position_bias/relative_position_bias_table"
    assert by_name(target)[name].shape == (81, 2)
    np.testing.assert_array_equal(
        by_name(source)["stem/norm/gamma"], by_name(target)["stem/norm/gamma"]
    )
    assert target(np.zeros((1, 48, 40, 3), "float32")).shape == (1, 6, 5, 8)


@pytest.mark.parametrize(
    ("image_shape", "changes", "message"),
    [
        ((16, 24, 1), {}, "Of another shape: .*stem/kernel"),
        ((16, 24, 3), {"num_layers": 1}, "Left over: .*block_1"),
        ((16, 24, 3), {"layer_scale": 0.1}, "Missing: .*attention_scale"),
        ((16, 22, 3), {}, "patch_size=4 must divide"),
    ],
)
def test_what_does_not_fit_is_listed(image_shape, changes, message):
    with pytest.raises(ValueError, match=message):
        vit().resize(image_shape, **changes)
