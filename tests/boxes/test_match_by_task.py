"""Points go to the boxes that a loop over the paper's definition gives them to."""

import box_reference
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.match_by_task import match_by_task
from keras_simmim.boxes.points import points

pytestmark = pytest.mark.fast_on("torch")

CENTERS = points((64, 64), [8, 16])[0]


def matched(scores, predicted, boxes, labels, **arguments):
    arrays = [np.array(array, "float32") for array in (scores, predicted, CENTERS, boxes)]
    match, targets = match_by_task(*map(ops.array, arrays), np.array(labels, "int32"), **arguments)
    return [ops.convert_to_numpy(part) for part in (*match, targets)]


def contains(box, point):
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def reference(scores, predicted, boxes, labels, candidates):
    """One image: for each point the row of its box, −1 for a negative, −2 for nothing; targets."""
    count = len(CENTERS)
    overlaps = box_reference.pairwise(box_reference.iou, predicted, boxes)
    claims: dict = {}
    for row in np.flatnonzero(labels >= 0):
        alignment = {
            point: np.float64(scores[point, labels[row]]) ** 0.5 * overlaps[point, row] ** 6
            for point in range(count)
            if contains(boxes[row], CENTERS[point])
        }
        for point in sorted(alignment, key=alignment.get, reverse=True)[:candidates]:
            claims.setdefault(point, {})[row] = alignment[point]
    result, targets = np.full(count, -1), np.zeros(count)
    for point in range(count):
        if point in claims:
            result[point] = max(claims[point], key=lambda row: overlaps[point, row])
        elif any(contains(boxes[row], CENTERS[point]) for row in np.flatnonzero(labels == -2)):
            result[point] = -2
    for row in np.flatnonzero(labels >= 0):
        own = np.flatnonzero(result == row)
        best = max((claims[point][row] for point in own), default=0)
        for point in own:
            targets[point] = claims[point][row] / best * overlaps[own, row].max() if best else 0
    return result, targets


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31), st.sampled_from([1, 3, 10]))
def test_random_predictions(seed, candidates):
    generator = np.random.default_rng(seed)
    labels = generator.integers(-2, 3, (2, 5))
    boxes = box_reference.random_boxes(generator, 2, 5)
    scores = generator.uniform(0.01, 0.99, (2, len(CENTERS), 3))
    halves = generator.uniform(4, 20, (2, len(CENTERS), 4)) * [-1, -1, 1, 1]
    predicted = (np.tile(CENTERS, 2) + halves).astype("float32")
    indices, positive, negative, targets = matched(
        scores, predicted, boxes, labels, candidates=candidates
    )
    result = np.where(positive, indices, np.where(negative, -1, -2))
    for image in range(2):
        expected, soft = reference(
            scores[image], predicted[image], boxes[image], labels[image], candidates
        )
        assert result[image].tolist() == expected.tolist()
        np.testing.assert_allclose(targets[image], soft, atol=1e-4)


def test_an_image_without_boxes_has_negatives_alone():
    predicted = np.tile([0, 0, 64, 64], (1, len(CENTERS), 1))
    scores = np.full((1, len(CENTERS), 2), 0.5)
    _, positive, negative, targets = matched(scores, predicted, [[[0, 0, 64, 64]]], [[-1]])
    assert not positive.any()
    assert negative.all()
    assert not targets.any()


def test_hardly_overlapping_predictions_have_targets_all_the_same():
    # 0.001⁶ is 1e-18, and the best of the points has its IoU as the target nevertheless.
    predicted = np.tile([0, 0, 0.064, 64], (1, len(CENTERS), 1))
    scores = np.full((1, len(CENTERS), 1), 1e-4)
    scores[0, 3] = 4e-4
    _, positive, _, targets = matched(scores, predicted, [[[0, 0, 64, 64]]], [[0]])
    assert positive.sum() == 10
    np.testing.assert_allclose(targets.max(), 0.001, rtol=1e-4)
    np.testing.assert_allclose(np.unique(targets.round(6)), [0, 0.0005, 0.001], rtol=1e-3)


def test_predictions_beside_their_box_are_positive_with_no_target():
    predicted = np.tile([70, 70, 80, 80], (1, len(CENTERS), 1))
    scores = np.zeros((1, len(CENTERS), 1))
    _, positive, _, targets = matched(scores, predicted, [[[0, 0, 16, 16]]], [[0]])
    inside = [contains((0, 0, 16, 16), center) for center in CENTERS]
    assert positive[0].tolist() == inside
    assert not targets.any()
