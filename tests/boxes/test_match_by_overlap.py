"""Anchors go to the boxes that a loop gives them to."""

import box_reference
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_simmim.boxes.match_by_overlap import match_by_overlap

pytestmark = pytest.mark.fast_on("torch")


def matched(anchors, boxes, labels, **arguments):
    match = match_by_overlap(
        np.array(anchors, "float32"),
        np.array(boxes, "float32"),
        np.array(labels, "int32"),
        **arguments,
    )
    return [ops.convert_to_numpy(part) for part in match]


def reference(anchors, boxes, labels, high, low, force):
    """One image: for each anchor the row of its box, −1 for a negative, −2 for nothing."""
    overlaps = box_reference.pairwise(box_reference.iou, anchors, boxes)
    covered = box_reference.pairwise(box_reference.coverage, anchors, boxes)
    real, ignored = np.flatnonzero(labels >= 0), np.flatnonzero(labels == -2)
    result = []
    for anchor in range(len(anchors)):
        best = max(real, key=lambda row: overlaps[anchor, row], default=None)
        largest = -1 if best is None else overlaps[anchor, best]
        if largest >= high:
            result.append(best)
        else:
            in_ignored = any(covered[anchor, row] >= low for row in ignored)
            result.append(-2 if largest >= low or in_ignored else -1)
    if force:
        wanted: dict = {}
        for row in real:
            anchor = overlaps[:, row].argmax()
            if overlaps[anchor, row] > 0:
                wanted.setdefault(anchor, []).append(row)
        for anchor, rows in wanted.items():
            result[anchor] = max(rows, key=lambda row: overlaps[anchor, row])
    return result


@pytest.mark.fast_on("torch")
@given(st.integers(0, 2**31), st.sampled_from([(0.5, 0.5), (0.4, 0.2), (0.7, 0.3)]), st.booleans())
def test_random_boxes(seed, thresholds, force):
    high, low = thresholds
    generator = np.random.default_rng(seed)
    anchors = box_reference.random_boxes(generator, 40)
    boxes = box_reference.random_boxes(generator, 3, 6)
    labels = generator.integers(-2, 3, (3, 6))
    indices, positive, negative = matched(anchors, boxes, labels, high=high, low=low, force=force)
    assert indices.dtype == "int32"
    result = np.where(positive, indices, np.where(negative, -1, -2))
    for image in range(3):
        expected = reference(anchors, boxes[image], labels[image], high, low, force)
        assert result[image].tolist() == expected


def test_an_image_without_boxes_has_negatives_alone():
    anchors = [[0, 0, 8, 8], [8, 0, 16, 8]]
    # What pads may be anything, an anchor too.
    _, positive, negative = matched(anchors, [[[0, 0, 8, 8], [0, 0, 0, 0]]], [[-1, -1]])
    assert not positive.any()
    assert negative.all()


def test_a_small_box_gets_its_anchor_and_one_that_none_touches_gets_none():
    anchors = [[0, 0, 8, 8], [8, 0, 16, 8]]
    boxes = [[[9, 1, 10, 2], [40, 40, 48, 48]]]
    indices, positive, negative = matched(anchors, boxes, [[0, 0]])
    assert positive.tolist() == [[False, True]]
    assert negative.tolist() == [[True, False]]
    assert indices[0, 1] == 0
    _, positive, negative = matched(anchors, boxes, [[0, 0]], force=False)
    assert not positive.any()
    assert negative.all()


def test_of_equal_anchors_the_first_is_taken_and_of_two_boxes_the_larger_overlap():
    anchors = [[0, 0, 8, 8], [0, 0, 8, 8], [8, 0, 16, 8]]
    indices, positive, _ = matched(anchors, [[[0, 0, 2, 2]]], [[0]])
    assert positive.tolist() == [[True, False, False]]
    indices, positive, _ = matched(anchors, [[[9, 0, 10, 1], [9, 0, 11, 2]]], [[0, 0]])
    assert positive.tolist() == [[False, False, True]]
    assert indices[0, 2] == 1


def test_an_anchor_in_a_crowd_counts_nothing_unless_it_has_a_box():
    anchors = [[0, 0, 8, 8], [8, 0, 16, 8], [40, 0, 48, 8]]
    boxes = [[[0, 0, 32, 32], [0, 0, 8, 8]]]
    _, positive, negative = matched(anchors, boxes, [[-2, 4]])
    assert positive.tolist() == [[True, False, False]]
    assert negative.tolist() == [[False, False, True]]


@pytest.mark.parametrize(("high", "low"), [(0.3, 0.5), (1.5, 0.5), (0.5, 0.0)])
def test_thresholds_out_of_order_are_refused(high, low):
    with pytest.raises(ValueError, match="0 < low <= high <= 1"):
        matched([[0, 0, 8, 8]], [[[0, 0, 8, 8]]], [[0]], high=high, low=low)
