"""The linear probe: what it reads, what decides its regularization, and which block knows most."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import keras_simmim as ks
from keras_simmim.evaluation import linear_probe, linear_probe_blocks


def clouds(count, seed, classes=3, spread=1.0):
    """Normal clouds around the corners of a simplex, in ten dimensions of unequal scale."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    points = generator.normal(size=(count, 10)) * spread
    points[:, :classes] += 3 * np.eye(classes)[labels]
    return points * 10.0 ** np.arange(-5, 5), labels


def test_it_is_scikit_learns_regression_of_standardised_features():
    train, labels = clouds(120, 0)
    test, test_labels = clouds(90, 1)
    given = linear_probe(train, labels, test, test_labels, regularizations=(0.1,))
    mean, std = train.mean(0), train.std(0)
    model = LogisticRegression(C=0.1, max_iter=5000).fit((train - mean) / std, labels)
    assert given["accuracy"] == pytest.approx(model.score((test - mean) / std, test_labels))
    assert given["regularization"] == 0.1
    assert 0.8 < given["accuracy"] <= 1


def test_the_test_images_choose_nothing():
    train, labels = clouds(60, 0, spread=2.0)
    test, test_labels = clouds(90, 1, spread=2.0)
    first = linear_probe(train, labels, test, test_labels)
    other = linear_probe(train, labels, test[::-1] * -1.0, test_labels)
    for name in ("regularization", "validation_accuracy"):
        assert first[name] == other[name]
    assert first["accuracy"] > other["accuracy"]


def test_shuffled_labels_give_chance():
    train, labels = clouds(300, 0)
    test, test_labels = clouds(300, 1)
    shuffled = np.random.default_rng(0).permutation(labels)
    accuracy = linear_probe(train, shuffled, test, test_labels)["accuracy"]
    assert abs(accuracy - 1 / 3) < 0.12


def test_balanced_accuracy_is_the_mean_over_classes():
    # All of class 0 right, a third of class 1: 9/12 of the images, 2/3 of the classes.
    train = np.array([[0.0], [0.1], [1.0], [1.1]])
    test = np.array([[0.0]] * 8 + [[0.0], [0.0], [1.0]])
    given = linear_probe(
        train, [0, 0, 1, 1], test, [0] * 8 + [1] * 3, regularizations=(1.0,), validation_share=0.5
    )
    assert given["accuracy"] == pytest.approx(9 / 11)
    assert given["balanced_accuracy"] == pytest.approx(2 / 3)


def test_each_block_is_probed(make_model, images, containers):
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=3, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2))
    probes = linear_probe_blocks(model, (images, labels), (images, labels))
    assert len(probes) == 3
    dataset = containers["dataset"](images, labels)
    assert linear_probe_blocks(model, dataset, dataset) == probes


GOOD = {
    "train_embeddings": clouds(12, 0)[0],
    "train_labels": clouds(12, 0)[1],
    "test_embeddings": clouds(6, 1)[0],
    "test_labels": clouds(6, 1)[1],
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_labels", np.zeros(12, int), "at least two classes, got 0 alone"),
        ("train_labels", np.array([0] * 11 + [4]), "at least two images.*one of class 4"),
        ("train_labels", np.full(12, -1), "got 12 below 0"),
        ("train_embeddings", np.full((12, 10), np.nan), "train_embeddings must be finite"),
        ("test_embeddings", np.zeros((6, 9)), "same width, got 10 and 9"),
        ("regularizations", (), "regularizations must be numbers above 0"),
        ("validation_share", 1.0, "validation_share must be above 0 and below 1, got 1.0"),
    ],
)
def test_arguments_out_of_range_are_named(name, value, message):
    with pytest.raises(ValueError, match=message):
        linear_probe(**{**GOOD, name: value})


def test_data_without_labels_are_refused(make_model, images, containers):
    with pytest.raises(ValueError, match=r"train must give .images, labels. batches"):
        linear_probe_blocks(make_model(), containers["dataset"](images), (images, []))
