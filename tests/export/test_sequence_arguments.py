"""Arguments that do not suit a model of sequences are named before anything is computed."""

import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.models.newest_items import newest_items


@pytest.fixture(scope="module")
def backbone():
    return ks.backbones.SequenceTransformer(
        12, length=4, num_layers=1, num_heads=2, hidden_dim=4, count_from="end"
    )


@pytest.mark.fast_on("torch")
def test_what_is_for_images_or_for_other_models_is_named(backbone, make_model, tmp_path):
    classifier = ks.TextClassifier(backbone, 2, tokenizer=lambda text: [1])
    recommender = ks.SequenceRecommender(backbone)
    for model, arguments, message in (
        (classifier, {"warmup_images": np.zeros((1, 4))}, "warmup_images must be None for"),
        (classifier, {"max_pixels": 100}, "max_pixels is for models of images.*got 100"),
        (classifier, {"mean": 3}, "mean and std are for images, got mean=3"),
        (classifier, {"k": 3}, "k=3 needs a recommender, got TextClassifier"),
        (classifier, {}, "tokenizer's function must be registered"),
        (classifier, {"class_names": ["one"]}, "class_names must be 2 strings"),
        (recommender, {"class_names": ["one"]}, "class_names=.* needs a model with a classifier"),
        (recommender, {"k": 12}, "k must be from 1 to 11, the items there are, got 12"),
        (recommender, {"k": 0}, "k must be at least 1"),
        (backbone, {"std": 3}, "std must be None for tokens"),
        (make_model(), {"k": 3}, "k=3 needs a recommender, got SimMIM"),
    ):
        with pytest.raises(ValueError, match=message):
            ks.export.export_saved_model(model, tmp_path / "model", **arguments)
    assert not (tmp_path / "model").exists()


def test_the_newest_items_stand_in_front_and_padding_behind():
    histories = np.array([[0, 7, 0, 5, 3], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    expected = [[7, 5, 3, 0], [0, 0, 0, 0], [3, 4, 5, 0]]
    found = newest_items(ops.array(histories), count=3, length=4)
    assert ops.convert_to_numpy(found).tolist() == expected
    # Side features go with their items, and nowhere else.
    features = np.stack([histories, 10 * histories + 1], axis=-1)
    found = ops.convert_to_numpy(newest_items(ops.array(features), count=3, length=4))
    assert found[..., 0].tolist() == expected
    assert found[..., 1].tolist() == [[71, 51, 31, 0], [0] * 4, [31, 41, 51, 0]]
    # Rows that are shorter than those of the network.
    found = newest_items(ops.array(histories[:, 3:]), count=3, length=4)
    assert ops.convert_to_numpy(found).tolist() == [[5, 3, 0, 0], [0] * 4, [4, 5, 0, 0]]


@pytest.mark.fast_on("torch")
def test_models_of_sequences_say_what_they_take_and_answer_with(backbone):
    classifier, recommender = ks.TextClassifier(backbone, 2), ks.SequenceRecommender(backbone)
    assert classifier.signatures == {
        "serving_default": ("probabilities", "classes"),
        "embed": ("embedding",),
    }
    assert recommender.signatures["serving_default"] == ("items", "scores")
    taken = classifier.exported_input
    assert (taken.name, taken.shape, taken.dtype) == ("tokens", (None, 4), "int32")
    taken = recommender.exported_input
    assert (taken.name, taken.shape, taken.dtype) == ("histories", (None, None), "int32")
    assert (classifier.num_items, recommender.num_items) == (None, 11)
