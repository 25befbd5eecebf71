"""Embeddings of any block, evaluators and the sheet of neighbors."""

import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.evaluation import KNN, EmbeddingStatistics, LinearProbe, embed, neighbor_sheet

LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])


@pytest.fixture(scope="module")
def model():
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=3, num_heads=2, hidden_dim=8)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2))


def test_a_block_is_embedded_as_its_mean(model, images, containers):
    outputs = model.backbone.block_outputs(model.normalize(images))
    for block in range(-3, 3):
        expected = ops.convert_to_numpy(ops.stop_gradient(outputs[block])).mean((1, 2))
        np.testing.assert_allclose(embed(model, images, block), expected, atol=1e-5)
    np.testing.assert_allclose(embed(model, images), embed(model, images, -1), atol=1e-5)
    dataset = containers["dataset"](images, LABELS)
    np.testing.assert_allclose(embed(model, dataset, 1), embed(model, images, 1), atol=1e-5)


def test_classifiers_embed_as_well(model, images):
    classifier = ks.ImageClassifier.from_pretrained(model, 2)
    np.testing.assert_allclose(embed(classifier, images, 0), embed(model, images, 0), atol=1e-5)


def test_what_is_not_there_is_refused(model, images):
    with pytest.raises(ValueError, match="block must be from -3 to 2 of this backbone, got 3"):
        embed(model, images, 3)
    convolutions = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    with pytest.raises(NotImplementedError, match="ConvNet has no block outputs"):
        embed(ks.ImageClassifier(convolutions, 2), images, 0)


def test_evaluators_yield_what_the_functions_measure(model, images, containers):
    pair, dataset = (images, LABELS), containers["dataset"](images, LABELS)
    embeddings = embed(model, images)
    expected = ks.evaluation.knn_accuracy(embeddings, LABELS, embeddings, LABELS, k=(1, 3))
    for data in (pair, dataset):
        measured = dict(KNN(data, data, k=(1, 3))(model))
        assert measured == {"knn_accuracy_1": expected[1], "knn_accuracy_3": expected[3]}
    assert dict(KNN(pair, pair, k=3)(model)) == {"knn_accuracy": expected[3]}
    probe = ks.evaluation.linear_probe(embed(model, images, 0), LABELS, embeddings, LABELS)
    assert set(dict(LinearProbe(pair, pair, block=0)(model))) <= {f"probe_{name}" for name in probe}
    statistics = dict(EmbeddingStatistics(images)(model))
    np.testing.assert_allclose(statistics["embedding_std"], embeddings.std(0).mean(), rtol=1e-4)
    with pytest.raises(ValueError, match="held_out must give"):
        KNN(pair, containers["dataset"](images))


def test_the_sheet_shows_the_nearest_first():
    images = np.stack([np.full((2, 8, 1), value, "uint8") for value in (10, 20, 30)])
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.2]])
    sheet = neighbor_sheet(images[:1], embeddings[:1], images, embeddings, neighbors=3)
    # A line of titles; a query, a gap of an eighth, three images, and 4 pixels between all these.
    assert sheet.shape == (12 + 4 + 2, 8 + 1 + 3 * 8 + 4 * 4, 1)
    np.testing.assert_array_equal(sheet[-1, [0, 8, 12, 17, 29, 41], 0], [10, 255, 255, 10, 30, 20])
    larger = neighbor_sheet(images[:1], embeddings[:1], images, embeddings, 1, scale=3)
    assert larger.shape == (12 + 4 + 6, 3 * 17 + 2 * 4, 1)
    with pytest.raises(ValueError, match="neighbors must be from 1 to 3, got 4"):
        neighbor_sheet(images, embeddings, images, embeddings, neighbors=4)
    with pytest.raises(ValueError, match="1 for 3 queries"):
        neighbor_sheet(images, embeddings[:1], images, embeddings)
