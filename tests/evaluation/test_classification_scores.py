"""Accuracy, its interval, and the mean over classes."""

import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.any_backend


def test_scores_by_hand():
    scores = ks.evaluation.classification_scores([0, 0, 1, 1], [0, 0, 0, 1])
    assert scores["accuracy"] == 0.75
    # Two of three of class 0, and the one of class 1.
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    # Of three of four, by the roots p of (3/4 − p)² = z² p (1 − p) / 4.
    z = 1.96**2
    roots = np.roots([1 + z / 4, -(1.5 + z / 4), 0.75**2])
    np.testing.assert_allclose(scores["accuracy_interval"], sorted(roots.real), rtol=1e-9)


def test_none_and_all_right():
    for predicted in (np.zeros(9, int), np.ones(9, int)):
        scores = ks.evaluation.classification_scores(predicted, np.ones(9, int))
        low, high = scores["accuracy_interval"]
        assert low + 1e-12 >= 0
        assert low - 1e-12 <= scores["accuracy"] <= high + 1e-12
        assert high <= 1 + 1e-12


@pytest.mark.parametrize(("predicted", "labels"), [([0], [0, 1]), ([], []), ([[0]], [[0]])])
def test_bad_arguments(predicted, labels):
    with pytest.raises(ValueError, match=r"predicted and labels must be \(N,\)"):
        ks.evaluation.classification_scores(predicted, labels)
