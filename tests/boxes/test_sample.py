"""Samples have a fixed size, a bounded share of positives, and nothing twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.sample import sample

pytestmark = pytest.mark.fast_on("torch")


def sampled(positive, negative, count, share, seed=0, step=0):
    rows, weights = sample(positive, negative, count, share, seed, step)
    return ops.convert_to_numpy(rows), ops.convert_to_numpy(weights)


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31 - 1), st.integers(0, 1000), st.sampled_from([(8, 0.25), (30, 0.5)]))
def test_random_masks(seed, step, size):
    count, share = size
    generator = np.random.default_rng(seed)
    state = generator.choice([1, 0, -1], (4, 20), p=[0.3, 0.5, 0.2])
    state[0] = 0
    state[1] = -1
    rows, weights = sampled(state == 1, state == 0, count, share, seed, step)
    assert rows.dtype == "int32"
    assert rows.shape == weights.shape == (4, count)
    assert ((rows >= 0) & (rows < 20)).all()
    for image in range(4):
        positives = min((state[image] == 1).sum(), int(count * share))
        negatives = min((state[image] == 0).sum(), count - positives)
        taken = rows[image][weights[image] == 1]
        assert weights[image].tolist() == [1.0] * len(taken) + [0.0] * (count - len(taken))
        assert state[image][taken].tolist() == [1] * positives + [0] * negatives
        assert len(set(taken)) == len(taken)


def test_each_row_is_drawn_equally_often_and_by_the_step():
    positive = np.arange(40) < 10
    negative = ~positive
    times = np.zeros(40)
    first = None
    for step in range(5):
        rows, _ = sampled(
            np.tile(positive, (100, 1)), np.tile(negative, (100, 1)), 16, 0.25, 7, step
        )
        assert first is None or (rows != first).any()
        first = rows
        np.add.at(times, rows, 1)
    # 500 draws: 4 of 10 positives, 12 of 30 negatives; both have p = 0.4, σ = 11.
    assert np.abs(times - 200).max() < 45
    again, _ = sampled(np.tile(positive, (100, 1)), np.tile(negative, (100, 1)), 16, 0.25, 7, 4)
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_shares(share):
    positive = np.arange(6)[None] < 3
    rows, weights = sampled(positive, ~positive, 3, share)
    assert weights.all()
    assert sorted(rows[0]) == ([3, 4, 5] if share == 0 else [0, 1, 2])
