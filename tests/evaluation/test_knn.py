"""Weighted k-nearest neighbors, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import keras_simmim as ks
from keras_simmim.evaluation import knn, knn_accuracy


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.5), (60, 0.2)])
def test_equals_scikit_learn_with_the_same_weights(k, temperature, monkeypatch):
    # Three chunks of test images and four of training images instead of one.
    monkeypatch.setattr(knn, "_TEST_ROWS", 17)
    monkeypatch.setattr(knn, "_TRAIN_ROWS", 18)
    generator = np.random.default_rng(0)
    train_labels, test_labels = generator.integers(0, 4, 60), generator.integers(0, 4, 40)
    centers = generator.normal(size=(4, 6))
    train = centers[train_labels] + generator.normal(size=(60, 6))
    test = centers[test_labels] + generator.normal(size=(40, 6))

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    # For unit vectors the squared distance is 2 − 2s.
    classifier = KNeighborsClassifier(
        k, weights=lambda distances: np.exp((1 - distances**2 / 2) / temperature)
    )
    classifier.fit(unit(train), train_labels)
    expected = classifier.score(unit(test), test_labels)
    assert 0.3 < expected < 1
    result = knn_accuracy(train, train_labels, test, test_labels, k=k, temperature=temperature)
    assert result == pytest.approx(expected, abs=1e-9)
    several = knn_accuracy(
        train, train_labels, test, test_labels, k=(k, 3), temperature=temperature
    )
    assert several[k] == result
    alone = knn_accuracy(train, train_labels, test, test_labels, k=3, temperature=temperature)
    assert several[3] == alone


def test_a_case_by_hand():
    train = [[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]]
    test, test_labels = [[10.0, 9.0], [0.1, 1.0]], [0, 1]
    # Nearest alone: (10, 9) is nearer to class 0, (0.1, 1) to class 1.
    assert knn_accuracy(train, [0, 1, 1], test, test_labels, k=1) == 1.0
    # All three, cosines 0.743 and twice 0.669: exp(0.743/1) = 2.10 < 2·exp(0.669/1) = 3.90.
    assert knn_accuracy(train, [0, 1, 1], test, test_labels, k=3, temperature=1.0) == 0.5
    # At temperature 0.05 the nearest outweighs both: exp(0.074/0.05) = 4.4 > 2.
    assert knn_accuracy(train, [0, 1, 1], test, test_labels, k=3, temperature=0.05) == 1.0


def test_a_tiny_temperature_does_not_overflow():
    assert knn_accuracy([[1.0, 0], [0, 1.0]], [0, 1], [[1.0, 0.1]], [0], k=2, temperature=1e-6) == 1


GOOD = {
    "train_embeddings": np.eye(3),
    "train_labels": np.array([0, 1, 2]),
    "test_embeddings": np.eye(3)[:2],
    "test_labels": np.array([0, 1]),
    "k": 1,
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("k", 4, "k must be from 1 to the 3 training images, got 4"),
        ("k", (1, 4), r"k must be from 1 to the 3 training images, got \(1, 4\)"),
        ("k", (), "k must be a number or several"),
        ("train_labels", np.array([1, 1, 1]), "at least two classes, got 1 alone"),
        ("test_labels", np.array([0, -1]), "got 1 below 0; leave images without a label out"),
        ("k", 0, "k must be from 1 to the 3 training images, got 0"),
        ("temperature", 0.0, "temperature must be above 0, got 0.0"),
        ("temperature", float("nan"), "temperature must be above 0, got nan"),
        ("train_embeddings", np.full((3, 3), np.nan), "train_embeddings must be finite"),
        ("test_embeddings", np.full((2, 3), np.inf), "test_embeddings must be finite"),
        ("train_embeddings", np.ones((2, 3)), r"train_labels \(N,\) .* got \(2, 3\) and \(3,\)"),
        ("test_embeddings", np.ones(2), r"test_embeddings must be \(N, D\)"),
        ("test_embeddings", np.ones((2, 4)), "same width, got 3 and 4"),
        ("train_labels", np.array([0, 1, -1]), "train_labels must be integers of at least 0"),
        ("test_labels", np.array([0.0, 1.0]), "test_labels must be integers of at least 0"),
        ("test_labels", np.array([[0], [1]]), r"got \(2, 3\) and \(2, 1\)"),
    ],
)
def test_arguments_out_of_range_are_named(name, value, message):
    assert knn_accuracy(**GOOD) == 1.0
    with pytest.raises(ValueError, match=message):
        knn_accuracy(**{**GOOD, name: value})


@pytest.mark.parametrize("all_blocks", [False, True])
def test_labels_belong_to_the_images_of_data_that_shuffle(make_model, containers, all_blocks):
    # Each image has its own color, so that its embedding tells which one it is.
    images = np.full((8, 16, 24, 3), np.arange(8).reshape(8, 1, 1, 1) * 30, "uint8")
    model = make_model()
    dataset = containers["dataset"](images, np.arange(8)).unbatch().shuffle(8, seed=3).batch(3)
    (embedded, *_), labels = model.embed_labeled(dataset, all_blocks)
    (expected, *_), _ = model.embed_labeled((images, np.arange(8)), all_blocks)
    assert sorted(labels.tolist()) == list(range(8))
    assert labels.tolist() != list(range(8))
    np.testing.assert_allclose(embedded, expected[labels], atol=1e-4)


def test_evaluators_of_data_that_shuffle(make_model, containers):
    images = np.full((8, 16, 24, 3), np.arange(8).reshape(8, 1, 1, 1) * 30, "uint8")
    labels = np.arange(8) // 4
    dataset = containers["dataset"](images, labels).unbatch().shuffle(8).batch(3)
    data = ks.data.from_arrays(images, labels, batch_size=4, crop_scale=(1.0, 1.0), seed=5)
    for reference in (dataset, data):
        evaluator = ks.evaluation.KNN(reference, (images, labels), k=1)
        assert dict(evaluator(make_model())) == {"knn_accuracy": 1.0}
    with pytest.raises(ValueError, match="images alone"):
        ks.evaluation.KNN(dataset.map(lambda images, labels: images), dataset)
