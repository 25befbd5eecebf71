"""Masks of sequences with padding: it is never hidden, and only the rest is counted."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from support.numpy_reference import random_ranks

import keras_simmim as ks

LENGTH = 12


def valid_of(counts):
    return (np.arange(LENGTH) < np.asarray(counts)[:, None]).astype("float32")


def hidden_by(masking, valid, step=3, features=None):
    if features is None:
        features = np.ones((len(valid), LENGTH, 4), "float32")
    if not masking.built:
        masking.build((None, LENGTH, 4))
    drawn = masking.draw(ops.convert_to_tensor(features), step, ops.convert_to_tensor(valid))
    return ops.convert_to_numpy(drawn)[:, :, :, 0]


def test_as_many_are_hidden_as_the_real_length_says():
    counts = np.array([0, 1, 2, 5, 9, 12])
    valid = valid_of(counts)
    hidden = hidden_by(ks.masking.SpatialMasking(0.3, 1, seed=7), valid)[:, 0, :, 0]
    assert hidden.sum(1).tolist() == [math.ceil(round(0.3 * count, 9)) for count in counts]
    assert np.all(hidden <= valid)
    # Those of the lowest ranks among the valid ones.
    ranks = random_ranks(7, 3, len(counts), LENGTH) + 100 * (valid == 0)
    order = ranks.argsort(1).argsort(1)
    np.testing.assert_array_equal(hidden, order < hidden.sum(1, keepdims=True))


def test_without_padding_masks_are_those_that_know_of_none():
    masking = ks.masking.IterativeMasking([ks.masking.Spatial()], ratio=(0.2, 0.7), block_size=2)
    masking.build((None, LENGTH, 4))
    features = ops.ones((3, LENGTH, 4))
    expected = ops.convert_to_numpy(masking.draw(features, 5))[:, :, :, 0]
    np.testing.assert_array_equal(hidden_by(masking, valid_of([12] * 3), 5), expected)


@pytest.mark.fast_on("torch", "tensorflow")
def test_a_span_counts_if_anything_of_it_is_there():
    hidden = hidden_by(ks.masking.SpatialMasking(0.5, 4), valid_of([3, 5, 12]))[:, 0, :, 0]
    assert hidden.sum(1).tolist() == [1, 1, 2]
    assert hidden[0].tolist() == [1, 0, 0]
    assert hidden[1, 2] == 0


@pytest.mark.fast_on("torch", "tensorflow")
def test_rounds_and_modalities_are_shared_out_by_the_real_length():
    fields = [ks.masking.Field(index, 2) for index in range(2)]
    rounds = ks.masking.Rounds((0.25, 0.5), iterations=2)
    masking = ks.masking.MaskGenerator(fields, ks.masking.RandomDraw(), rounds, block_size=1)
    counts = [4, 8, 12]
    hidden = hidden_by(masking, valid_of(counts))
    for row, count in zip(hidden, counts, strict=True):
        assert row.sum((1, 2)).tolist() == [count / 4, count / 2]
        assert np.all(row[0] <= row[1])
        assert np.all(row.sum(-1) <= 1)


@pytest.mark.fast_on("torch", "tensorflow")
@pytest.mark.parametrize("draw", [ks.masking.LearnedDraw(seed=3), ks.masking.SoftDraw()])
def test_draws_that_look_at_features_do_not_look_at_padding(draw):
    ratio = None if draw.is_soft else 0.5
    masking = ks.masking.MaskGenerator([ks.masking.Spatial()], draw, ratio, block_size=2)
    generator = np.random.default_rng(0)
    valid = valid_of([3, 6, 10])
    features = generator.normal(size=(3, LENGTH, 4)).astype("float32")
    found = hidden_by(masking, valid, 2000, features)
    other = np.where(valid[..., None] > 0, features, np.nan).astype("float32")
    np.testing.assert_array_equal(hidden_by(masking, valid, 2000, other), found)
    blocks = valid.reshape(3, LENGTH // 2, 2).max(-1)
    assert np.all((found[:, 0, :, 0] > 0) <= (blocks > 0))


@pytest.mark.fast_on("torch", "tensorflow")
def test_the_last_item_of_a_share_of_the_sequences():
    masking = ks.masking.MaskGenerator(
        [ks.masking.Spatial()], ks.masking.LastDraw(0.5, seed=3), 0.4, block_size=1
    )
    counts = np.random.default_rng(0).integers(0, LENGTH + 1, 400)
    hidden = hidden_by(masking, valid_of(counts))[:, 0, :, 0]
    ratio_hides = np.array([math.ceil(round(0.4 * count, 9)) for count in counts])
    long = ratio_hides > 1
    only_last = (hidden.sum(1) == 1) & (hidden[np.arange(400), counts - 1] == 1)
    assert np.all(only_last[long] | (hidden.sum(1) == ratio_hides)[long])
    assert 0.4 < only_last[long].mean() < 0.6
    assert np.all(hidden[counts == 0] == 0)


@pytest.mark.fast_on("torch", "tensorflow")
@pytest.mark.parametrize(("kept", "swapped"), [(0.5, 0.0), (0.0, 0.5), (0.2, 0.3)])
def test_some_hidden_positions_show_themselves_or_another_example(kept, swapped):
    masking = ks.masking.SpatialMasking(0.5, 1, seed=5, kept=kept, swapped=swapped)
    masking.build((None, LENGTH, 4))
    counts = np.tile([12, 8, 4, 0], 50)
    valid = valid_of(counts)
    # The first channel says which example it is, the second which position.
    features = np.zeros((200, LENGTH, 4), "float32")
    features[..., 0] = np.arange(1, 201)[:, None]
    features[..., 1] = np.arange(LENGTH)
    tensors = [ops.convert_to_tensor(each) for each in (features, valid)]
    hidden = masking.draw(tensors[0], 3, tensors[1])
    views = ops.convert_to_numpy(masking.hide(tensors[0], hidden, step=3, valid=tensors[1]))[:, 0]
    lost = ops.convert_to_numpy(hidden)[:, 0, :, 0, 0] > 0
    np.testing.assert_array_equal(views[~lost], features[~lost])
    shows = views[lost]
    own, masked = (shows[:, 0] == features[lost][:, 0]), shows[:, 0] == 0
    # A next example of padding alone has nothing to show.
    has_next = (np.roll(counts, -1) > 0)[np.nonzero(lost)[0]]
    other = ~own & ~masked
    assert np.all(shows[other, 0] == (np.nonzero(lost)[0][other] + 1) % 200 + 1)
    assert np.all(shows[other, 1] < np.roll(counts, -1)[np.nonzero(lost)[0][other]])
    assert abs(masked.mean() - (1 - kept - swapped)) < 0.06
    assert abs(other[has_next].mean() - swapped) < 0.06


# Every length is another program on JAX.
@pytest.mark.fast_on("torch", "tensorflow")
@settings(max_examples=20, deadline=None)
@given(
    counts=st.lists(st.integers(0, LENGTH), min_size=1, max_size=4),
    ratio=st.floats(0.01, 0.99),
    block=st.sampled_from([1, 2, 3, 4]),
)
def test_counts_are_exact_at_any_length(counts, ratio, block):
    hidden = hidden_by(ks.masking.SpatialMasking(ratio, block), valid_of(counts))[:, 0, :, 0]
    blocks = [math.ceil(count / block) for count in counts]
    expected = [math.ceil(round(ratio * number, 9)) for number in blocks]
    assert hidden.sum(1).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kept": 1.5}, "kept must be a number from 0 to 1"),
        ({"kept": 0.6, "swapped": 0.6}, "at most 1"),
    ],
)
def test_shares_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        ks.masking.SpatialMasking(0.5, 1, **arguments)


def test_fields_that_are_none():
    with pytest.raises(ValueError, match="index must be from 0 to count - 1"):
        ks.masking.Field(2, 2)
    with pytest.raises(ValueError, match="share must be a number"):
        ks.masking.LastDraw(1.5)
