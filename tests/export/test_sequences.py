"""What is served of tokens and histories equals what the model predicts and recommends."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_simmim as ks

# Elsewhere an export takes a process with TensorFlow.
EXPORTS = pytest.mark.long if keras.backend.backend() != "tensorflow" else ()
TEXTS = ["so good", "bad", "", "longer than a row"]


def rows(width, categories=None, seed=0):
    """Histories of 0 to `width` of twenty items, with padding anywhere among them."""
    generator = np.random.default_rng(seed)
    items = generator.integers(1, 21, (6, width)) * (generator.random((6, width)) < 0.7)
    items[0], items[1] = 0, np.arange(width) % 20 + 1
    if categories is None:
        return items
    # A category beside padding is nothing either.
    return np.stack([items, generator.integers(0, categories, items.shape)], axis=-1)


def close(answer, expected):
    """Whether scores are equal, those of padding too."""
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [pytest.param("texts", marks=EXPORTS)])
def test_tokens_give_what_predict_gives_for_texts(exports, kind):
    export = exports[kind]
    tokenizer = ks.data.Tokenizer.load(Path(export.path, "assets.extra", "tokenizer.json"))
    tokens = tokenizer(TEXTS, length=8)
    answer = export.served.predict(tokens=tokens)
    assert set(answer) == {"probabilities", "classes"}
    close(answer["probabilities"], export.model.predict(TEXTS, verbose=0))
    assert answer["classes"].tolist() == [[b"bad", b"good"]] * 4
    embedded = export.served.predict(tokens=tokens, signature="embed")
    assert set(embedded) == {"embedding"}
    close(embedded["embedding"], export.model.embed(TEXTS))
    # The export leaves the model as it was.
    assert export.model.tokenizer == tokenizer


@pytest.mark.parametrize("kind", [pytest.param("histories", marks=EXPORTS)])
@pytest.mark.parametrize("width", [3, 8, 15])
def test_histories_give_what_recommend_gives(exports, kind, width):
    export, histories = exports[kind], rows(width)
    answer = export.served.predict(histories=histories)
    assert set(answer) == {"items", "scores"}
    expected = export.model.recommend(histories, k=4)
    assert answer["items"].dtype == np.int32
    np.testing.assert_array_equal(answer["items"], expected.items)
    close(answer["scores"], expected.scores)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "categories"), [("histories", None), ("histories and categories", 5)]
)
def test_histories_give_all_scores_and_embeddings(exports, kind, categories):
    export, histories = exports[kind], rows(15, categories)
    answer = export.served.predict(histories=histories, signature="scores")
    assert set(answer) == {"item_scores"}
    assert answer["item_scores"].shape == (6, 21)
    close(answer["item_scores"], export.model.scores(histories))
    items = histories if categories is None else histories[..., 0]
    packed = [row[known != 0] for row, known in zip(histories, items, strict=True)]
    embedded = export.served.predict(histories=histories, signature="embed")
    close(embedded["embedding"], export.model.embed(packed))


@pytest.mark.long
def test_side_features_count_and_ten_items_are_the_default(exports):
    export, histories = exports["histories and categories"], rows(8, categories=5)
    answer = export.served.predict(histories=histories)
    expected = export.model.recommend(histories)
    np.testing.assert_array_equal(answer["items"], expected.items)
    close(answer["scores"], expected.scores)
    assert answer["items"].shape == (6, 10)
    others = np.stack([histories[..., 0], (histories[..., 1] + 1) % 5], axis=-1)
    changed = export.served.predict(histories=others)["scores"]
    assert np.abs(changed - answer["scores"])[1:].max() > 1e-3


@pytest.mark.long
def test_fewer_items_than_asked_for_are_padded(exports):
    histories = np.arange(1, 19)[None]  # of twenty items, two are left
    answer = exports["histories"].served.predict(histories=histories)
    assert sorted(answer["items"][0, :2].tolist()) == [19, 20]
    assert answer["items"][0, 2:].tolist() == [0, 0]
    assert np.isneginf(answer["scores"][0, 2:]).all()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tokens", "backbone of tokens"])
def test_without_a_task_tokens_give_embeddings(exports, kind):
    export = exports[kind]
    tokens = np.array([[5, 9, 3, 0, 0, 0, 0, 0], [0, 7, 0, 2, 2, 1, 0, 127]])
    embedder = ks.models.ImageModel(export.model) if kind.startswith("backbone") else export.model
    for signature in ("serving_default", "embed"):
        answer = export.served.predict(tokens=tokens, signature=signature)
        assert set(answer) == {"embedding"}
        close(answer["embedding"], embedder.embed(tokens))
    assert not Path(export.path, "assets.extra").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("texts", {"tokens": [[1] * 7 + [128]]}, r"\[tokens\].*below\] \[128\].*to\] \[128\]"),
        ("texts", {"tokens": [[1] * 7 + [-1]]}, r"\[tokens\] \[must be from 0.*\[-1\]"),
        ("texts", {"tokens": [[1] * 9]}, r"\[1,9\] is not compatible.*\[\?,8\]"),
        ("histories", {"histories": [[1, 21]]}, r"\[histories\].*below\] \[21\]"),
        ("histories and categories", {"histories": [[[1, 5]]]}, r"below\] \[\[?21 5\]"),
    ],
)  # fmt: skip
def test_tokens_that_there_are_not_fail_their_request(exports, kind, given, message):
    served = exports[kind].served
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.predict(**given)
    fields = () if kind != "histories and categories" else (2,)
    good = np.ones((2, 8, *fields), "int32")
    assert all(len(value) == 2 for value in served.predict(**dict.fromkeys(given, good)).values())


@pytest.mark.long
def test_an_empty_batch_gives_empty_outputs(exports):
    answer = exports["histories"].served.predict(histories=np.zeros((0, 5), "int32"))
    assert answer["items"].shape == answer["scores"].shape == (0, 4)
    answer = exports["texts"].served.predict(tokens=np.zeros((0, 8), "int32"))
    assert answer["probabilities"].shape == answer["classes"].shape == (0, 2)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["texts", "histories"])
def test_weights_that_only_train_stay_behind(exports, kind):
    model = exports[kind].model
    saved = tf.train.list_variables(f"{exports[kind].path}/variables/variables")
    shapes = sorted(tuple(shape) for name, shape in saved if "VARIABLE_VALUE" in name)
    used = [*model.backbone.weights]
    # What a history asks for is what the mask token stands for.
    used += model.classifier.weights if kind == "texts" else [*model.head.weights, model.mask_token]
    assert shapes == sorted(tuple(weight.shape) for weight in used)


@pytest.mark.long
def test_the_card_says_what_tokens_are_and_where_the_tokenizer_lies(exports):
    card = Path(exports["texts"].path, "README.md").read_text()
    for line in (
        "- model: TextClassifier on SequenceTransformer",
        "- tokens: int32 (any, 8), 0 is padding",
        "  - token: 0 to 127",
        "- tokenizer: assets.extra/tokenizer.json, for the client: the graph takes tokens",
        "- classes: bad, good",
    ):
        assert line in card
    card = Path(exports["histories and categories"].path, "README.md").read_text()
    for line in (
        "- histories: int32 (any, any, 2), 0 is padding",
        "  - category: 0 to 4",
        "- items: the best 10 of 20 that were not seen",
        "- newest items that count: 7",
    ):
        assert line in card


@pytest.mark.long
def test_a_trained_tokenizer_lies_beside_the_model(tmp_path, tensorflow_process):
    tokenizer = ks.data.train_tokenizer(["so good", "so bad", "good"] * 9, vocabulary_size=270)
    backbone = ks.backbones.SequenceTransformer(
        270, length=6, num_layers=1, num_heads=2, hidden_dim=8
    )
    classifier = ks.TextClassifier(backbone, 2, tokenizer=tokenizer)
    path = Path(ks.export.export_saved_model(classifier, tmp_path / "reviews"))
    loaded = ks.data.Tokenizer.load(path / "assets.extra" / "tokenizer.json")
    assert loaded == tokenizer
    answer = ks.export.ServedModel(path).predict(tokens=loaded(TEXTS, length=6))
    close(answer["probabilities"], classifier.predict(TEXTS, verbose=0))
