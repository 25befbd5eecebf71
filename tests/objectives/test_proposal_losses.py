"""What the two looks of Faster R-CNN learn from, against the papers' formulas in NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_simmim.objectives.proposal_losses import proposal_losses
from keras_simmim.objectives.region_losses import RegionSample, region_losses, sample_regions
from keras_simmim.objectives.smooth_l1 import smooth_l1

pytestmark = pytest.mark.fast_on("torch")

ANCHORS = np.float32([[0, 0, 8, 8], [0, 0, 8, 6], [8, 8, 16, 16], [20, 0, 28, 8], [0, 20, 8, 28]])
# An IoU of 1 and 0.75 with the first two; the third is nobody's; the fourth lies in a crowd.
BOXES = np.float32([[[0, 0, 8, 8], [18, 0, 30, 30], [0, 0, 0, 0]], [[0] * 4] * 3])
LABELS = np.int32([[1, -2, -1], [-1, -1, -1]])


def numbers(losses):
    return {name: [ops.convert_to_numpy(each) for each in pair] for name, pair in losses.items()}


def smooth(error, bend):
    return error**2 / (2 * bend) if abs(error) < bend else abs(error) - bend / 2


@pytest.mark.parametrize("bend", [1.0, 1 / 9])
def test_smooth_l1(bend):
    errors = np.float32([-3, -bend, -0.05, 0, 0.1, 1, 4])
    found = ops.convert_to_numpy(smooth_l1(ops.array(errors), bend))
    np.testing.assert_allclose(found, [smooth(each, bend) for each in errors], rtol=1e-5)


@pytest.fixture
def predicted():
    generator = np.random.default_rng(3)
    return generator.normal(size=(2, 5)).astype("float32"), generator.normal(size=(2, 5, 4)).astype(
        "float32"
    )


def test_anchors(predicted):
    objectness, offsets = predicted
    losses = numbers(proposal_losses(objectness, offsets, ANCHORS, BOXES, LABELS, step=0))
    # The first image has two positives and two negatives, the second has five negatives.
    log = np.log1p(np.exp(np.float64(objectness)))
    entropy = log[0, :2].sum() - objectness[0, :2].sum() + log[0, [2, 4]].sum(), log[1].sum()
    # The second anchor's box is 1 pixel lower and 8/6 as high.
    targets = np.array([[0, 0, 0, 0], [0, 1 / 6, 0, np.log(8 / 6)]])
    distance = sum(smooth(e, 1 / 9) for e in (offsets[0, :2] - targets).ravel())
    for name, expected in (("objectness_loss", entropy), ("proposal_loss", (distance, 0))):
        np.testing.assert_allclose(losses[name][0], expected, rtol=1e-5)
        assert losses[name][1].tolist() == [4, 5]


def test_the_sample_is_bounded_and_half_positive():
    objectness, offsets = np.zeros((2, 5), "float32"), np.zeros((2, 5, 4), "float32")
    given = (ANCHORS + np.float32([1, 0, 1, 0]), BOXES, LABELS)
    losses = numbers(proposal_losses(objectness, offsets, *given, step=0, count=2))
    np.testing.assert_allclose(losses["objectness_loss"], [[2 * np.log(2)] * 2, [2, 2]], rtol=1e-6)
    # One pixel of 8; the second anchor, of an IoU of 0.6 now, counts nothing.
    np.testing.assert_allclose(losses["proposal_loss"][0], [smooth(1 / 8, 1 / 9), 0], rtol=1e-5)


def test_regions_are_true_boxes_and_proposals_that_overlap_them():
    regions = np.float32([[[0, 0, 8, 5], [0, 0, 8, 3], [20, 0, 28, 8], [0, 0, 0, 0]]] * 2)
    valid = np.array([[True, True, True, False]] * 2)
    found = sample_regions(regions, valid, BOXES, LABELS, step=0, count=16)
    boxes, labels, offsets, counts = map(ops.convert_to_numpy, found)
    assert boxes.shape == (2, 16, 4)
    taken = [
        {(*box, int(label)) for box, label, count in zip(*each, strict=True) if count}
        for each in zip(boxes, labels, counts, strict=True)
    ]
    # The third region lies in the ignored box, the fourth is none, nor is what pads.
    first = {(0, 0, 8, 8, 2), (0, 0, 8, 5, 2), (0, 0, 8, 3, 0)}
    assert taken == [first, {(0, 0, 8, 5, 0), (0, 0, 8, 3, 0), (20, 0, 28, 8, 0)}]
    assert counts.sum() == 6
    moved = {tuple(b): o for b, o, n in zip(boxes[0], offsets[0], counts[0], strict=True) if n}
    np.testing.assert_allclose(moved[0, 0, 8, 8], 0, atol=1e-6)
    expected = [0, 1.5 / 5 / 0.1, 0, np.log(8 / 5) / 0.2]
    np.testing.assert_allclose(moved[0, 0, 8, 5], expected, rtol=1e-5, atol=1e-6)


def test_a_quarter_of_the_regions_are_positive():
    regions = np.repeat(np.float32([[[0, 0, 8, 8], [8, 8, 16, 16]]]), 20, axis=1)
    found = sample_regions(regions, np.ones((1, 40), bool), BOXES[:1], LABELS[:1], step=5, count=16)
    assert ops.convert_to_numpy(found.labels)[0].tolist() == [2] * 4 + [0] * 12
    assert ops.convert_to_numpy(found.counts).all()


def test_classes_and_borders():
    generator = np.random.default_rng(4)
    scores = generator.normal(size=(2, 3, 4)).astype("float32")
    offsets = generator.normal(size=(2, 3, 4)).astype("float32")
    targets = generator.normal(size=(2, 3, 4)).astype("float32")
    labels = np.int32([[3, 0, 1], [0, 0, 2]])
    counts = np.float32([[1, 1, 0], [1, 1, 1]])
    regions = RegionSample(*map(ops.array, (targets, labels, targets, counts)))
    losses = numbers(region_losses(ops.array(scores), ops.array(offsets), regions))
    entropy, distance = np.zeros(2), np.zeros(2)
    for image, place in np.ndindex(2, 3):
        count, label = counts[image, place], labels[image, place]
        shares = np.exp(scores[image, place]) / np.exp(scores[image, place]).sum()
        entropy[image] -= count * np.log(shares[label])
        if label > 0:
            errors = offsets[image, place] - targets[image, place]
            distance[image] += count * sum(smooth(each, 1) for each in errors)
    for name, expected in (("class_loss", entropy), ("box_loss", distance)):
        np.testing.assert_allclose(losses[name][0], expected, rtol=1e-5)
        assert losses[name][1].tolist() == [2, 3]
