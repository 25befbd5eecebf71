"""TextClassifier: texts or tokens in, classes out, and padding nowhere."""

import keras
import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch", "tensorflow")

TEXTS = ["so good", "very good", "so bad", "not bad at", "bad", "good", "it is good", "bad bad"] * 4
LABELS = np.array([1, 1, 0, 0, 0, 1, 1, 0] * 4)


@keras.saving.register_keras_serializable("tests.text_classifier")
def letters(text):
    return [ord(letter) for letter in text]


def make(**options):
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.SequenceTransformer(128, 12, num_layers=1, num_heads=2, hidden_dim=16)
    return ks.TextClassifier(backbone, 2, **{"tokenizer": letters, **options})


@pytest.fixture(scope="module")
def trained():
    model = make(class_names=["bad", "good"], label_smoothing=0.05)
    model.compile(keras.optimizers.AdamW(1e-2), metrics=["AUC"])
    return model, model.fit(TEXTS, LABELS, epochs=10, verbose=0).history


def test_it_learns_texts(trained):
    model, history = trained
    assert history["accuracy"][-1] == 1
    assert model.evaluate(TEXTS, LABELS, return_dict=True, verbose=0)["auc"] == 1
    probabilities = model.predict(["so good", "so bad", ""], verbose=0)
    assert probabilities[:2].argmax(1).tolist() == [1, 0]
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    # The same as tokens, at any length, padded on any side.
    tokens = np.array([letters("so good")])
    for given in (tokens, np.pad(tokens, ((0, 0), (0, 5))), np.pad(tokens, ((0, 0), (5, 0)))):
        np.testing.assert_allclose(model.predict(given, verbose=0), probabilities[:1], atol=1e-6)


def test_it_comes_back_with_its_tokenizer(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "texts.keras")
    loaded = keras.saving.load_model(tmp_path / "texts.keras")
    found = loaded.predict(TEXTS[:4], verbose=0)
    np.testing.assert_allclose(found, model.predict(TEXTS[:4], verbose=0), rtol=1e-6)
    assert loaded.class_names == ["bad", "good"]
    assert loaded.label_smoothing == 0.05


@pytest.mark.fast_on("torch")
def test_recipes_frozen_blocks_and_data_sets():
    dataset = ks.data.texts(TEXTS, letters, LABELS, length=12, batch_size=8)
    source = make().backbone
    classifier = ks.TextClassifier.from_pretrained(source, 2, recipe="auto", frozen=1)
    before = [weight.numpy() for weight in classifier.backbone.trainable_weights]
    history = classifier.fit(dataset, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert before == []
    assert classifier.tokenizer is not None


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TEXTS, LABELS + 1, "y must be from 0 to 1"),
        (TEXTS, LABELS * 0, "at least two classes"),
        ("so good", LABELS, "list of strings"),
        (["", ""], LABELS[:2], "must have a token"),
    ],
)
def test_data_that_cannot_be_learned(x, y, message):
    model = make()
    model.compile("adam")
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0)


def test_arguments_that_are_none():
    with pytest.raises(ValueError, match="backbone must be one of tokens"):
        ks.TextClassifier(ks.backbones.ConvNet((8, 8, 1), (4,)), 2)
    with pytest.raises(ValueError, match="label_smoothing must be"):
        make(label_smoothing=1.0)
    with pytest.raises(ValueError, match="vocabulary_size=400"):
        make(tokenizer=ks.data.CallableTokenizer(letters, 400))
