"""Boxes once more, one by one and in plain Python: what the tests compare with."""

import numpy as np


def random_boxes(generator, *shape, side=64.0):
    """Boxes with sides of 1 pixel to half an image, some of them beyond its edges."""
    centers = generator.uniform(0, side, (*shape, 2))
    halves = generator.uniform(0.5, side / 4, (*shape, 2))
    return np.concatenate([centers - halves, centers + halves], axis=-1).astype("float32")


def area(box):
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def intersection(box, other):
    return area([*np.maximum(box[:2], other[:2]), *np.minimum(box[2:], other[2:])])


def iou(box, other):
    box, other = np.float64(box), np.float64(other)
    shared = intersection(box, other)
    union = area(box) + area(other) - shared
    return shared / union if union > 0 else 0.0


def coverage(box, other):
    box, other = np.float64(box), np.float64(other)
    return intersection(box, other) / area(box) if area(box) > 0 else 0.0


def pairwise(function, boxes, others):
    return np.array([[function(box, other) for other in others] for box in boxes])
