"""Intersection over union, by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from keras_simmim.evaluation import mean_iou

pytestmark = pytest.mark.any_backend


def test_a_case_by_hand():
    masks = np.array([[[0, 0, 1], [1, 255, 3]]], "uint8")
    predicted = np.array([[[0, 1, 1], [1, 2, 0]]])
    # Class 0: one pixel of both, three of either; 1: two of three; 2: only where it is ignored;
    # 3: one pixel, found as 0.
    found = mean_iou(predicted, masks, 5)
    np.testing.assert_allclose(found["iou"], [1 / 3, 2 / 3, np.nan, 0, np.nan])
    assert found["mean_iou"] == pytest.approx(1 / 3)
    assert isinstance(found["mean_iou"], float)
    assert found["iou"].dtype == "float64"


@given(seed=st.integers(0, 1000), classes=st.integers(2, 6))
def test_equals_scikit_learn(seed, classes):
    generator = np.random.default_rng(seed)
    masks = generator.integers(0, classes, (3, 4, 5)).astype("uint8")
    masks[generator.random(masks.shape) < 0.2] = 255
    probabilities = generator.random((3, 4, 5, classes))
    # Wrong in about half of the pixels.
    right = np.where(masks == 255, 0, masks)
    np.put_along_axis(probabilities, right[..., None], 0.8, axis=-1)
    counts, predicted = masks != 255, probabilities.argmax(-1)
    pair, names = (masks[counts], predicted[counts]), list(range(classes))
    expected = jaccard_score(*pair, labels=names, average=None, zero_division=0)
    expected[~np.isin(names, pair)] = np.nan
    for given_ in (probabilities, predicted):
        found = mean_iou(given_, masks, classes)
        np.testing.assert_array_equal(found["iou"], expected)
        assert found["mean_iou"] == np.nanmean(expected)


def test_nothing_that_counts_is_nan():
    found = mean_iou(np.zeros((1, 2, 2), int), np.full((1, 2, 2), 255), 2)
    assert np.isnan(found["mean_iou"])
    assert np.isnan(found["iou"]).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("masks", np.zeros((2, 3), int), r"masks must be integers \(N, H, W\), got int64 .*\(2, 3"),
        ("masks", np.zeros((1, 2, 2)), "masks must be integers .* got float64"),
        ("masks", np.full((1, 2, 2), 3), r"masks must hold classes from 0 to 2.* got \[3\]"),
        ("masks", np.full((1, 2, 2), -1), r"masks must hold classes .* got \[-1\]"),
        ("masks", np.zeros((1, 2, 3), int), r"predicted must be integers \(1, 2, 3\)"),
        ("predicted", np.full((1, 2, 2), 7), r"predicted must hold classes .* got \[7\]"),
        ("predicted", np.zeros((1, 2, 2)), "got float64 of shape"),
        ("predicted", np.zeros((1, 2, 2, 4)), r"probabilities \(1, 2, 2, 3\), got .*\(1, 2, 2, 4"),
        ("num_classes", 0, "num_classes must be from 1 to 255, got 0"),
    ],
)
def test_what_does_not_fit_is_named(name, value, message):
    good = {"predicted": np.zeros((1, 2, 2), int), "masks": np.zeros((1, 2, 2), int)}
    good["num_classes"] = 3
    assert mean_iou(**good)["mean_iou"] == 1
    with pytest.raises(ValueError, match=message):
        mean_iou(**{**good, name: value})
