"""The draw: a hash that NumPy repeats to the bit, and masks that never change."""

import keras
import numpy as np
import numpy_reference
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.layers.hashing import hash_words, random_ranks, random_uniform

words = st.integers(-(2**31), 2**31 - 1)

# Hidden blocks of the first image, 4×4 blocks at ratio 0.5: (seed, step) → indices.
GOLDEN_MASKS = {
    (0, 0): [0, 3, 7, 8, 9, 11, 13, 15],
    (0, 1): [0, 1, 5, 6, 12, 13, 14, 15],
    (7, 0): [0, 1, 2, 3, 6, 12, 13, 14],
    (7, 1): [0, 3, 4, 5, 9, 13, 14, 15],
    (8, 0): [1, 3, 4, 6, 9, 10, 11, 14],
    (8, 1): [0, 2, 4, 8, 11, 13, 14, 15],
}


def ranks_of(seed, step, batch_size, blocks):
    return ops.convert_to_numpy(random_ranks(seed, step, batch_size, blocks))


@given(st.lists(words, min_size=1, max_size=4))
def test_hash_is_the_chain_of_lowbias32(chain):
    result = ops.convert_to_numpy(hash_words(chain))
    assert result.dtype == "int32"
    assert int(result) == int(numpy_reference.hash_words(chain).view("int32"))


def test_hash_of_known_words():
    # lowbias32(0x9E3779B9), worked out by hand: the hash of the single word 0.
    word = 0x9E3779B9
    word ^= word >> 16
    word = word * 0x7FEB352D % 2**32
    word ^= word >> 15
    word = word * 0x846CA68B % 2**32
    word ^= word >> 16
    assert int(ops.convert_to_numpy(hash_words([0]))) % 2**32 == word


def test_hash_broadcasts_its_words():
    first = np.array([[1], [-5], [2**31 - 1]], dtype="int32")
    last = np.arange(4, dtype="int32")[None] - 2
    result = ops.convert_to_numpy(hash_words([7, ops.array(first), ops.array(last)]))
    assert result.shape == (3, 4)
    np.testing.assert_array_equal(
        result, numpy_reference.hash_words([7, first, last]).view("int32")
    )


def test_no_two_last_words_collide():
    result = ops.convert_to_numpy(hash_words([7, -1, ops.arange(1 << 17, dtype="int32")]))
    assert len(np.unique(result)) == 1 << 17


@given(st.integers(0, 2**31 - 1), words, st.sampled_from([(1, 1), (3, 7), (2, 36), (5, 49)]))
def test_ranks_are_permutations_of_the_blocks(seed, step, sizes):
    ranks = ranks_of(seed, step, *sizes)
    assert ranks.shape == sizes
    np.testing.assert_array_equal(
        np.sort(ranks, axis=1), np.tile(np.arange(sizes[1]), (sizes[0], 1))
    )
    np.testing.assert_array_equal(ranks, numpy_reference.random_ranks(seed, step, *sizes))


@pytest.mark.parametrize(("seed", "step"), GOLDEN_MASKS)
def test_the_first_masks_never_change(seed, step):
    hidden = np.flatnonzero(ranks_of(seed, step, 2, 16)[0] < 8)
    assert hidden.tolist() == GOLDEN_MASKS[seed, step]


def test_images_of_a_larger_batch_keep_their_masks():
    np.testing.assert_array_equal(ranks_of(3, 5, 6, 16)[:2], ranks_of(3, 5, 2, 16))


def test_a_replica_goes_on_counting_where_the_one_before_it_stopped(monkeypatch):
    whole, uniform = ranks_of(3, 5, 6, 16), random_uniform(3, 5, 6, 16)
    monkeypatch.setattr(devices, "first_example", lambda batch_size: 4)
    np.testing.assert_array_equal(ranks_of(3, 5, 2, 16), whole[4:])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(random_uniform(3, 5, 2, 16)), ops.convert_to_numpy(uniform)[4:]
    )


@pytest.mark.parametrize("over", ["images", "steps", "seeds"])
def test_every_block_is_hidden_equally_often(over):
    blocks, count, draws = 36, 22, 2000
    numbers = ops.reshape(ops.arange(draws, dtype="int32"), (-1, 1))
    match over:
        case "images":
            hidden = ranks_of(7, 0, draws, blocks) < count
        case "steps":
            hidden = ranks_of(7, numbers, 1, blocks) < count
        case "seeds":
            hidden = ranks_of(numbers, 0, 1, blocks) < count
    assert hidden.shape == (draws, blocks)
    share = count / blocks
    deviation = hidden.sum(axis=0) - draws * share
    # Drawn without replacement, this is χ² with 35 degrees of freedom: 35 ± 8.4.
    statistic = np.sum(deviation**2) / (draws * share * (1 - share)) * (blocks - 1) / blocks
    assert 10 < statistic < 77


@pytest.mark.parametrize("neighbour", ["seed", "step", "image", "seed and step swapped"])
def test_neighbouring_masks_have_nothing_in_common(neighbour):
    blocks, count, draws = 36, 18, 2000
    hidden = ranks_of(7, 8, draws + 1, blocks) < count
    match neighbour:
        case "seed":
            other = ranks_of(8, 8, draws + 1, blocks) < count
        case "step":
            other = ranks_of(7, 9, draws + 1, blocks) < count
        case "image":
            other = np.roll(hidden, 1, axis=0)
        case _:
            other = ranks_of(8, 7, draws + 1, blocks) < count
    overlap = (hidden & other).sum(axis=1)
    # Two independent masks share count²/blocks blocks on average (hypergeometric).
    share = count / blocks
    variance = count * share * (1 - share) * (blocks - count) / (blocks - 1)
    score = (overlap.mean() - count * share) / np.sqrt(variance / len(overlap))
    assert abs(score) < 4
    assert overlap.var() == pytest.approx(variance, rel=0.15)


def test_a_tensor_step_draws_as_a_number_does():
    np.testing.assert_array_equal(
        ranks_of(7, keras.Variable(5, dtype="int32", trainable=False).value, 2, 16),
        ranks_of(7, 5, 2, 16),
    )
