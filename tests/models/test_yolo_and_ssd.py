"""The losses of YOLO and SSD against the papers' sums, written once more in NumPy."""

import math

import box_reference
import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.boxes.match_by_task import match_by_task

# Compiled, these take minutes: on JAX test_dense_everywhere.py stands for them.
pytestmark = [pytest.mark.fast_on("torch"), pytest.mark.only_on("tensorflow", "torch")]

LABELS = np.int32([[0, 1, -1], [1, -2, -1]])
BOXES = np.float32(
    [
        [[1, 2, 12, 14], [6, 4, 22, 15], [0, 0, 0, 0]],
        [[10, 1, 23, 12], [0, 0, 9, 16], [0, 0, 0, 0]],
    ]
)


def made(kind, monkeypatch, head, **options):
    """A detector of 16 × 24 pixels, whose head says what is given."""
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=1, num_heads=2, hidden_dim=8)
    detector = kind(backbone, num_classes=2, neck_width=8, head_width=8, **options)
    monkeypatch.setattr(type(detector.head), "__call__", lambda self, maps: map(ops.array, head))
    monkeypatch.setattr(kind, "levels", lambda self, features: None)
    return detector


def measured(detector, labels=LABELS):
    found = detector.box_losses(None, ops.array(BOXES), ops.array(labels))
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def complete_iou(box, other):
    box, other = np.float64(box), np.float64(other)
    overlap = box_reference.iou(box, other)
    corner = np.maximum(box[2:], other[2:]) - np.minimum(box[:2], other[:2])
    between = (box[:2] + box[2:] - other[:2] - other[2:]) / 2
    angles = [math.atan((b[2] - b[0]) / (b[3] - b[1])) for b in (box, other)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return overlap - (between @ between) / (corner @ corner) - v * v / (1 - overlap + v)


def yolo_head():
    generator = np.random.default_rng(1)
    distances = generator.uniform(0.3, 2.5, (2, 33, 4)).astype("float32")
    return distances, generator.normal(size=(2, 33, 2)).astype("float32")


def test_yolo(monkeypatch):
    distances, logits = yolo_head()
    detector = made(ks.YOLO, monkeypatch, (distances, logits))
    assert detector.level_strides == [4, 8, 16, 32]
    predicted = np.zeros((2, 33, 4), "float32")
    place = 0
    for stride, rows, columns in ((4, 4, 6), (8, 2, 3), (16, 1, 2), (32, 1, 1)):
        for row in range(rows):
            for column in range(columns):
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                left, top, right, bottom = (distances[:, place] * stride).T
                predicted[:, place] = np.stack([x - left, y - top, x + right, y + bottom], -1)
                place += 1
    candidates, scores = map(ops.convert_to_numpy, detector.candidates(None))
    np.testing.assert_allclose(candidates, np.clip(predicted, 0, [24, 16, 24, 16]), atol=1e-4)
    probabilities = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(scores, probabilities, rtol=1e-5)

    match, targets = match_by_task(
        ops.array(probabilities),
        ops.array(predicted),
        ops.array(detector.points),
        ops.array(BOXES),
        ops.array(LABELS),
    )
    targets = ops.convert_to_numpy(targets)
    indices, positive, negative = map(ops.convert_to_numpy, match)
    found = measured(detector)
    for image in range(2):
        box_loss = class_loss = 0.0
        for point in range(33):
            if not positive[image, point] and not negative[image, point]:
                continue
            target, row = targets[image, point], indices[image, point]
            wanted = np.zeros(2)
            if positive[image, point]:
                box_loss += target * (1 - complete_iou(predicted[image, point], BOXES[image, row]))
                wanted[LABELS[image, row]] = target
            p = np.float64(probabilities[image, point])
            class_loss -= (wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum()
        np.testing.assert_allclose(found["box_loss"][0][image], 7.5 * box_loss, rtol=1e-4)
        np.testing.assert_allclose(found["class_loss"][0][image], 0.5 * class_loss, rtol=1e-4)
    for name in found:
        np.testing.assert_allclose(found[name][1], targets.sum(-1), rtol=1e-5)


def ssd_head(count):
    generator = np.random.default_rng(2)
    offsets = generator.normal(size=(2, count, 4)).astype("float32") * 2
    return offsets, generator.normal(size=(2, count, 3)).astype("float32")


def test_ssd(monkeypatch):
    offsets, logits = ssd_head(33 * 6)
    detector = made(ks.SSD, monkeypatch, (offsets, logits))
    anchors = detector.anchors
    assert anchors.shape == (198, 4)
    np.testing.assert_allclose(anchors[1], [-4, -4, 8, 8])
    exponents = np.exp(np.float64(logits))
    probabilities = exponents / exponents.sum(-1, keepdims=True)
    _, scores = map(ops.convert_to_numpy, detector.candidates(None))
    np.testing.assert_allclose(scores, probabilities[..., 1:], rtol=1e-4)
    found = measured(detector)
    for image in range(2):
        real = [m for m in range(3) if LABELS[image, m] >= 0]
        overlaps = box_reference.pairwise(box_reference.iou, anchors, BOXES[image])
        owner = np.full(len(anchors), -1)
        for anchor, row in enumerate(overlaps):
            best = max(real, key=lambda m, row=row: row[m])
            owner[anchor] = best if row[best] >= 0.5 else -1
        for m in real:
            owner[overlaps[:, m].argmax()] = m
        ignored = [m for m in range(3) if LABELS[image, m] == -2]
        is_negative = owner < 0
        for anchor in np.flatnonzero(is_negative):
            covered = [box_reference.coverage(anchors[anchor], BOXES[image, m]) for m in ignored]
            is_negative[anchor] = max(covered, default=0) < 0.5
        positives = np.flatnonzero(owner >= 0)
        surprise = -np.log(probabilities[image])
        candidates = np.flatnonzero(is_negative)
        hardest = candidates[np.argsort(-surprise[candidates, 0])][: max(3 * len(positives), 10)]
        class_loss = surprise[hardest, 0].sum()
        box_loss = 0.0
        for anchor in positives:
            class_loss += surprise[anchor, 1 + LABELS[image, owner[anchor]]]
            box, start = np.float64(BOXES[image, owner[anchor]]), np.float64(anchors[anchor])
            sides, own = box[2:] - box[:2], start[2:] - start[:2]
            move = (box[:2] + box[2:] - start[:2] - start[2:]) / 2 / own / 0.1
            wanted = np.concatenate([move, np.log(sides / own) / 0.2])
            distance = np.abs(wanted - offsets[image, anchor])
            box_loss += np.where(distance < 1, distance**2 / 2, distance - 0.5).sum()
        np.testing.assert_allclose(found["box_loss"][0][image], box_loss, rtol=1e-4)
        np.testing.assert_allclose(found["class_loss"][0][image], class_loss, rtol=1e-4)
        for name in found:
            assert found[name][1][image] == len(positives)


@pytest.mark.parametrize("kind", [ks.YOLO, ks.SSD])
def test_what_is_found_in_an_ignored_box_is_not_wrong(kind, monkeypatch):
    labels = np.int32([[-1, -1, -1], [-1, -2, -1]])
    values, logits = yolo_head() if kind is ks.YOLO else ssd_head(198)
    plain = measured(made(kind, monkeypatch, (values, logits)), labels)
    detector = made(kind, monkeypatch, (values, logits))
    if kind is ks.YOLO:
        x, y = detector.points.T
        inside = (x > 0) & (x < 9) & (y > 0) & (y < 16)
    else:
        inside = np.array([box_reference.coverage(a, BOXES[1, 1]) >= 0.5 for a in detector.anchors])
    assert 0 < inside.sum() < len(inside)
    louder = logits.copy()
    louder[1, inside, -1] += 9
    loud = measured(made(kind, monkeypatch, (values, louder)), labels)
    np.testing.assert_allclose(loud["class_loss"][0], plain["class_loss"][0], rtol=1e-5)
    louder[0, inside, -1] += 9
    louder = measured(made(kind, monkeypatch, (values, louder)), labels)
    assert louder["class_loss"][0][0] > plain["class_loss"][0][0] + 1
