"""The negatives of the highest loss, three for each positive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.hard_negatives import hard_negatives

pytestmark = pytest.mark.fast_on("torch")


def chosen(losses, positive, negative, **arguments):
    losses, positive, negative = map(np.array, (losses, positive, negative))
    return ops.convert_to_numpy(
        hard_negatives(losses.astype("float32"), positive, negative, **arguments)
    )


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31), st.integers(0, 8))
def test_random_losses(seed, minimum):
    generator = np.random.default_rng(seed)
    state = generator.choice(["positive", "negative", "neither"], (3, 20), p=[0.2, 0.6, 0.2])
    losses = generator.permutation(60).reshape(3, 20)
    result = chosen(losses, state == "positive", state == "negative", minimum=minimum)
    for image in range(3):
        negatives = np.flatnonzero(state[image] == "negative")
        hardest = negatives[losses[image][negatives].argsort()[::-1]]
        count = max(3 * (state[image] == "positive").sum(), minimum)
        assert set(np.flatnonzero(result[image])) == set(hardest[:count])


@pytest.mark.parametrize(("minimum", "expected"), [(0, 0), (2, 2), (9, 4)])
def test_an_image_without_positives(minimum, expected):
    losses = [[0.0, 0.0, 0.0, 0.0, 0.0]]
    negative = [[False, True, True, True, True]]
    result = chosen(losses, np.zeros((1, 5), "bool"), negative, minimum=minimum)
    assert np.flatnonzero(result).tolist() == list(range(1, 1 + expected))
