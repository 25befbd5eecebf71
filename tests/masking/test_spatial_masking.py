"""Spatial masking: exact counts, exact views, and the loss on what was hidden."""

import math

import keras
import numpy as np
import numpy_reference
import pytest
from compiled import compiled
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.masking import SpatialMasking
from keras_simmim.masking.sharing import hidden_count


def hidden_blocks(masking, batch_size, step):
    """The hidden blocks as bool (B, blocks)."""
    hidden = ops.convert_to_numpy(masking.draw(ops.zeros((batch_size, 1)), step))
    return hidden.reshape(batch_size, -1) == 1


def built(shape, **arguments):
    masking = SpatialMasking(**arguments)
    masking.build((None, *shape))
    return masking


@pytest.mark.parametrize(
    ("side", "block_size", "count"),
    [(12, 2, 22), (14, 2, 30), (6, 1, 22), (192, 32, 22), (224, 32, 30)],
)
def test_the_papers_counts(side, block_size, count):
    masking = built((side, side, 1), ratio=0.6, block_size=block_size)
    np.testing.assert_array_equal(hidden_blocks(masking, 3, 0).sum(axis=1), count)


@pytest.mark.parametrize(
    ("ratio", "blocks", "count"),
    [
        (0.6, 36, 22),
        (0.6, 49, 30),
        (0.7, 10, 7),
        (0.3, 10, 3),
        (0.1, 30, 3),
        (0.01, 4, 1),
        (0.51, 2, 2),
    ],
)
def test_the_count_is_the_ceiling_without_rounding_errors(ratio, blocks, count):
    assert hidden_count(ratio, blocks) == count


@pytest.mark.fast_on("torch")
@given(
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    block=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.integers(1, 5),
    ratio=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**31 - 1),
    step=st.integers(-1, 2**31 - 1),
)
def test_hidden_and_visible_parts_make_the_input(grid, block, channels, ratio, seed, step):
    height, width = grid[0] * block[0], grid[1] * block[1]
    features = np.random.default_rng(0).normal(size=(2, height, width, channels)).astype("float32")
    token = np.arange(1, channels + 1, dtype="float32")
    masking = SpatialMasking(ratio, block, seed)
    views, hidden = map(ops.convert_to_numpy, masking(ops.array(features), step=step))
    filled, _ = masking(ops.array(features), step=step, token=ops.array(token))

    count = math.ceil(round(ratio * grid[0] * grid[1], 9))
    assert hidden.shape == (2, 1, *grid, 1)
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2, 3, 4)), count)
    mask = numpy_reference.spatial_mask(seed, step, 2, grid, count, height, width)
    np.testing.assert_array_equal(views[:, 0], np.where(mask == 1, 0, features))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(filled)[:, 0], np.where(mask == 1, token, features)
    )


@pytest.mark.fast_on("torch")
@given(
    blocks=st.integers(1, 12),
    block_size=st.integers(1, 3),
    channels=st.integers(1, 4),
    ratio=st.floats(0.01, 0.99),
)
def test_sequences_are_masked_as_maps_of_width_one(blocks, block_size, channels, ratio):
    shape = (2, blocks * block_size, channels)
    sequence = np.random.default_rng(1).normal(size=shape).astype("float32")
    token = ops.ones((channels,))
    masking = SpatialMasking(ratio, block_size, seed=5)
    views, hidden = masking(ops.array(sequence), step=2, token=token)
    assert tuple(views.shape) == (2, 1, *shape[1:])
    assert tuple(hidden.shape) == (2, 1, blocks, 1, 1)
    as_map = SpatialMasking(ratio, (block_size, 1), seed=5)
    expected, _ = as_map(ops.array(sequence[:, :, None]), step=2, token=token)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(views), ops.convert_to_numpy(expected)[:, :, :, 0]
    )
    assert masking.compute_output_shape((None, *shape[1:])) == (
        (None, 1, *shape[1:]),
        (None, 1, blocks, 1, 1),
    )


def test_a_larger_ratio_hides_the_same_blocks_and_more():
    smaller, larger = (
        hidden_blocks(built((6, 6, 1), ratio=ratio, block_size=1, seed=9), 4, 3)
        for ratio in (0.3, 0.7)
    )
    assert (larger >= smaller).all()
    assert larger.sum() > smaller.sum()


def test_masks_differ_by_image_step_and_seed_and_repeat_otherwise():
    masking = built((6, 6, 1), ratio=0.5, block_size=1, seed=7)
    first = hidden_blocks(masking, 4, 0)
    np.testing.assert_array_equal(first, hidden_blocks(masking, 4, 0))
    assert len(np.unique(first, axis=0)) == 4
    assert (first != hidden_blocks(masking, 4, 1)).any(axis=1).all()
    other = built((6, 6, 1), ratio=0.5, block_size=1, seed=8)
    assert (first != hidden_blocks(other, 4, 0)).any(axis=1).all()


def test_features_and_their_pixels_lose_the_same_blocks():
    masking = built((4, 6, 8), ratio=0.5, block_size=2)
    hidden = masking.draw(ops.zeros((2, 1)), 0)
    pixels = masking.fill(ops.ones((2, 16, 24, 3)), hidden)
    mask = numpy_reference.spatial_mask(0, 0, 2, (2, 3), 3, 16, 24)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(pixels)[:, 0], np.broadcast_to(1 - mask, (2, 16, 24, 3))
    )


def test_fill_takes_views_and_a_filling_for_every_pixel():
    masking = built((4, 4, 1), ratio=0.5, block_size=2)
    hidden = masking.draw(ops.zeros((2, 1)), 0)
    mask = numpy_reference.spatial_mask(0, 0, 2, (2, 2), 2, 8, 8)[:, None]
    generator = np.random.default_rng(2)
    views = generator.normal(size=(2, 1, 8, 8, 3)).astype("float32")
    filling = generator.normal(size=(2, 1, 8, 8, 3)).astype("float32")
    filled = masking.fill(ops.array(views), hidden, ops.array(filling))
    np.testing.assert_array_equal(ops.convert_to_numpy(filled), np.where(mask == 1, filling, views))


def test_half_precision_features_stay_in_half_precision():
    masking = SpatialMasking(0.5, 1, dtype="mixed_bfloat16")
    views, hidden = masking(ops.ones((1, 2, 2, 4), dtype="bfloat16"), token=ops.full((4,), 3.0))
    assert keras.backend.standardize_dtype(views.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(hidden.dtype) == "float32"
    values = ops.convert_to_numpy(ops.cast(views, "float32"))
    assert sorted(values[..., 0].ravel().tolist()) == [1, 1, 3, 3]


def test_the_loss_is_the_mean_error_of_hidden_numbers():
    masking = built((4, 6, 8), ratio=0.6, block_size=2)
    hidden = masking.draw(ops.zeros((3, 1)), 4)
    generator = np.random.default_rng(3)
    target = generator.normal(size=(3, 16, 24, 3)).astype("float32")
    prediction = generator.normal(size=(3, 16, 24, 3)).astype("float32")
    losses = masking.hidden_loss(ops.array(target), ops.array(prediction[:, None]), hidden)
    mask = numpy_reference.spatial_mask(0, 4, 3, (2, 3), 4, 16, 24)
    assert list(losses) == ["spatial"]
    np.testing.assert_allclose(
        ops.convert_to_numpy(losses["spatial"]),
        numpy_reference.hidden_loss(target, prediction, mask),
        rtol=1e-5,
    )


def test_only_hidden_errors_count():
    masking = built((4, 4, 1), ratio=0.5, block_size=2)
    hidden = masking.draw(ops.zeros((2, 1)), 0)
    mask = numpy_reference.spatial_mask(0, 0, 2, (2, 2), 2, 4, 4)[:, None]
    zeros = ops.zeros((2, 4, 4, 1))
    for error, loss in ((7.0 * (1 - mask), 0), (7.0 * mask, 7), (-7.0 * mask, 7)):
        losses = masking.hidden_loss(zeros, ops.array(error.astype("float32")), hidden)
        np.testing.assert_allclose(ops.convert_to_numpy(losses["spatial"]), loss, rtol=1e-5)


@pytest.mark.fast_on("tensorflow")
def test_a_compiled_mask_equals_the_eager_one():
    masking = built((4, 6, 3), ratio=0.6, block_size=2, seed=3)
    features = ops.array(np.random.default_rng(4).normal(size=(2, 4, 6, 3)).astype("float32"))
    step = ops.array(11, dtype="int32")

    def masked(features, step):
        hidden = masking.draw(ops.zeros((2, 1)), step)
        return masking.fill(features, hidden), hidden

    for result, expected in zip(
        compiled(masked)(features, step), masked(features, step), strict=True
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(result), ops.convert_to_numpy(expected))


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan"), "half", None])
def test_a_ratio_out_of_range_is_named(ratio):
    with pytest.raises(ValueError, match="ratio") as error:
        SpatialMasking(ratio)
    assert repr(ratio) in str(error.value)


@pytest.mark.parametrize("block_size", [0, -2, 1.5, (2,), (2, 0), (1, 2, 3), (2, 2.0)])
def test_a_block_size_out_of_range_is_named(block_size):
    with pytest.raises(ValueError, match="block_size") as error:
        SpatialMasking(block_size=block_size)
    assert repr(block_size) in str(error.value)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5, None])
def test_a_seed_out_of_range_is_named(seed):
    with pytest.raises(ValueError, match="seed") as error:
        SpatialMasking(seed=seed)
    assert repr(seed) in str(error.value)


@pytest.mark.parametrize("shape", [(6, 4, 3), (4, 6, 3), (6, 8), (2, 2, 3)])
def test_a_block_that_does_not_divide_is_named(shape):
    sizes = "the 6 by 1 map" if shape == (6, 8) else f"the {shape[0]} by {shape[1]} map"
    with pytest.raises(ValueError, match=rf"block_size=\(4, 4\) does not divide {sizes}"):
        built(shape, block_size=4)


@pytest.mark.parametrize("shape", [(8,), (2, 2, 2, 2, 2), (None, 4, 3)])
def test_a_tensor_of_another_rank_or_unknown_size_is_named(shape):
    with pytest.raises(ValueError, match="input_shape"):
        built(shape)
