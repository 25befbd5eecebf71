"""Vectors of tokens against NumPy's singular vectors of a matrix counted by hand."""

import importlib

import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.any_backend
SIZE, WINDOW = 12, 3
table_of = ks.pretraining.cooccurrence_table


def tokens():
    drawn = np.random.default_rng(0).integers(1, SIZE - 1, (40, 9))
    drawn[::4, 5:] = 0
    return drawn


def information():
    """The definition, pair by pair."""
    counts = np.zeros((SIZE, SIZE))
    for row in tokens():
        for here, one in enumerate(row):
            for there, other in enumerate(row):
                if one and other and 0 < abs(here - there) <= WINDOW:
                    counts[one, other] += 1 / abs(here - there)
    sums = counts.sum(1)
    expected = np.outer(sums, sums**0.75) / (sums**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(counts / expected)
    return np.where(counts > 0, np.maximum(found, 0), 0)


@pytest.mark.parametrize("chunk", [1 << 20, 27])
def test_it_is_the_largest_singular_vectors_of_the_information(chunk, monkeypatch):
    module = importlib.import_module("keras_simmim.pretraining.cooccurrence_table")
    monkeypatch.setattr(module, "_CHUNK", chunk)
    table = table_of(tokens(), SIZE, 4, WINDOW)
    left, values, _ = np.linalg.svd(information())
    expected = left[:, :4] * np.sqrt(values[:4])
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    expected = np.divide(expected, lengths, where=lengths > 1e-8, out=np.zeros_like(expected))
    assert table.dtype == np.float32
    assert table.shape == (SIZE, 4)
    # Padding, and a token that no text has, are nowhere.
    assert not table[[0, SIZE - 1]].any()
    np.testing.assert_allclose(np.linalg.norm(table[1:-1], axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(table @ table.T, expected @ expected.T, atol=1e-5)
    # Signs, which are free, are settled.
    np.testing.assert_allclose(table_of(tokens(), SIZE, 4, WINDOW, seed=1), table, atol=1e-5)


def test_tokens_that_are_used_alike_lie_close_together():
    # 1 and 2 stand between 3 and 4, 5 and 6 between 7 and 8.
    rows = np.array([[3, 1, 4], [3, 2, 4], [7, 5, 8], [7, 6, 8]] * 5)
    table = table_of(rows, 9, 4, window=1)
    similar = table @ table.T
    assert similar[1, 2] > 0.99
    assert similar[5, 6] > 0.99
    assert abs(similar[1, 5]) < 0.1


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"tokens": [[0.5, 1]]}, TypeError, "tokens must be integers"),
        ({"tokens": [1, 2]}, TypeError, r"tokens must be integers \(N, L\)"),
        ({"tokens": [[1, 12]]}, ValueError, "tokens must be from 0 to 11, got 1 to 12"),
        ({"tokens": [[-1, 1]]}, ValueError, "tokens must be from 0 to 11, got -1 to 1"),
        ({"tokens": [[1, 0], [0, 2]]}, ValueError, "tokens must stand beside others"),
        ({"dimensions": 12}, ValueError, "dimensions must be from 1 to 11"),
        ({"window": 0}, ValueError, "window must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(changed, error, message):
    arguments = {"tokens": tokens(), "vocabulary_size": SIZE, "dimensions": 4, **changed}
    with pytest.raises(error, match=message):
        table_of(**arguments)
