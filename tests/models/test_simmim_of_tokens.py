"""SimMIM of sequences: its loss by hand, what it refuses, and that it comes back from a file."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.layers.hashing import hash_words
from keras_simmim.objectives.hidden_tokens import _SALT


def make(mask_generator=None, objectives=None, **options):
    keras.utils.set_random_seed(0)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, **options}
    backbone = ks.backbones.SequenceTransformer(12, 8, **sizes)
    masks = mask_generator or ks.masking.SpatialMasking(0.3, 1, seed=5)
    model = ks.SimMIM(backbone, masks, objectives=objectives)
    # Larger weights than new ones, so that scores differ.
    model.set_weights(
        [3 * weight if weight.ndim == 2 else weight for weight in model.get_weights()]
    )
    model.compile(keras.optimizers.AdamW(1e-2))
    return model


def tokens_of(count=6):
    generator = np.random.default_rng(0)
    tokens = generator.integers(1, 12, (count, 8))
    for row, length in zip(tokens, [8, 5, 1, 0, 3, 7], strict=False):
        row[length:] = 0
    return tokens


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def log_softmax(scores):
    scores = scores.astype("float64")
    scores = scores - scores.max(-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def test_the_loss_is_the_entropy_of_hidden_tokens_each_alike():
    model, tokens = make(), tokens_of()
    weights = np.array([1.0, 0.0, 2.0, 1.0, 1.0, 0.5], "float32")
    found = model.evaluate(tokens, sample_weight=weights, return_dict=True, verbose=0)
    step = ops.convert_to_tensor(-1, "int32")
    masked = model.masked_pass(ops.convert_to_tensor(tokens, "int32"), step, training=False)
    hidden = numbers(masked.hidden)[:, 0, :, 0, 0] * (tokens > 0)
    assert hidden.sum(1).tolist() == [3, 2, 1, 0, 1, 3]
    scores = numbers(model.head(masked.encoded[:, 0], model.backbone.tables))
    logs = log_softmax(scores)
    entropy = -np.take_along_axis(logs, tokens[..., None], -1)[..., 0]
    counts = hidden * weights[:, None]
    np.testing.assert_allclose(found["token_loss"], (entropy * counts).sum() / counts.sum(), 1e-4)
    hits = (scores.argmax(-1) == tokens) * counts
    np.testing.assert_allclose(found["token_accuracy"], hits.sum() / counts.sum(), 1e-5)
    np.testing.assert_allclose(found["loss"], found["token_loss"], 1e-6)


@pytest.mark.fast_on("torch", "tensorflow")
def test_the_head_is_a_layer_a_norm_and_the_table_itself():
    model = make()
    head, features = model.head, np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    kernel, bias = (numbers(weight) for weight in head.denses[0].weights)
    from scipy.special import erf

    hidden = features @ kernel + bias
    hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
    hidden = hidden - hidden.mean(-1, keepdims=True)
    hidden = hidden / np.sqrt((hidden**2).mean(-1, keepdims=True) + 1e-6)
    expected = hidden @ numbers(model.backbone.tables[0]).T
    found = numbers(head(ops.convert_to_tensor(features), model.backbone.tables))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    names = [weight.path.rsplit("/", 1)[1] for weight in head.weights]
    assert "table" not in names


@pytest.mark.fast_on("torch", "tensorflow")
def test_hidden_tokens_are_told_from_a_sample_with_the_correction():
    model = make(objectives=[ks.objectives.HiddenTokens(sampled=4)])
    tokens = tokens_of()
    found = model.evaluate(tokens, return_dict=True, verbose=0)
    masked = model.masked_pass(
        ops.convert_to_tensor(tokens, "int32"), ops.convert_to_tensor(-1, "int32"), training=False
    )
    hidden = numbers(masked.hidden)[:, 0, :, 0, 0] * (tokens > 0)
    scores = numbers(model.head(masked.encoded[:, 0], model.backbone.tables)).astype("float64")
    words = numbers(hash_words([_SALT, ops.convert_to_tensor(-1, "int32"), ops.arange(4)]))
    drawn = 1 + (words & 0x7FFFFFFF) % 11
    losses = []
    for row, place in np.argwhere(hidden > 0):
        own = scores[row, place, tokens[row, place]]
        others = scores[row, place, drawn] - np.log(4 / 11)
        others = others[drawn != tokens[row, place]]
        losses.append(np.log(np.exp([own, *others]).sum()) - own)
    np.testing.assert_allclose(found["token_loss"], np.mean(losses), 1e-4)


@pytest.mark.fast_on("torch", "tensorflow")
def test_fields_that_are_hidden_apart_have_losses_that_are_added():
    fields = [ks.masking.Field(index, 2) for index in range(2)]
    masks = ks.masking.MaskGenerator(fields, ks.masking.RandomDraw(3), 0.5, block_size=1)
    model = make(masks, side_features={"kind": 5})
    tokens = tokens_of()
    both = np.stack([tokens, np.where(tokens > 0, tokens % 4 + 1, 0)], axis=-1)
    both[0, 2, 1] = 0
    found = model.evaluate(both, return_dict=True, verbose=0)
    masked = model.masked_pass(
        ops.convert_to_tensor(both, "int32"), ops.convert_to_tensor(-1, "int32"), training=False
    )
    hidden = numbers(masked.hidden)[:, 0, :, 0, :]
    expected = []
    for field in range(2):
        scores = numbers(model.head(masked.encoded[:, 0], model.backbone.tables, field=field))
        entropy = -np.take_along_axis(log_softmax(scores), both[..., field][..., None], -1)[..., 0]
        counted = hidden[..., field] * (both[..., field] > 0)
        expected.append((entropy * counted).sum() / counted.sum())
    np.testing.assert_allclose(found["token_token_loss"], expected[0], 1e-4)
    np.testing.assert_allclose(found["token_kind_loss"], expected[1], 1e-4)
    np.testing.assert_allclose(found["token_loss"], sum(expected), 1e-4)


@pytest.mark.fast_on("torch")
def test_it_learns_saves_and_goes_on(tmp_path):
    generator = np.random.default_rng(0)
    tokens = np.repeat(generator.integers(1, 12, (64, 1)), 8, axis=1)
    tokens[::2, 5:] = 0
    model = make(drop_path_rate=0.2)
    model.compile(keras.optimizers.AdamW(3e-2))
    history = model.fit(tokens, epochs=8, batch_size=32, shuffle=False, verbose=0).history
    assert history["token_loss"][-1] < 0.7 * history["token_loss"][0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.embed(tokens), model.embed(tokens))
    again = [
        each.fit(tokens, batch_size=16, shuffle=False, verbose=0).history["loss"]
        for each in (model, loaded)
    ]
    assert again[0] == pytest.approx(again[1], rel=1e-5)


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize(
    ("masks", "objectives", "logged"),
    [
        (ks.masking.LearnedMasking(0.4, block_size=2), None, "ranking_loss"),
        (ks.masking.IterativeMasking([ks.masking.Spatial()], block_size=2), None, "token_loss"),
        (
            ks.masking.SpatialMasking(0.3, 1, views=2, kept=0.1, swapped=0.1),
            [
                ks.objectives.HiddenTokens(),
                ks.objectives.Agreement(weight=0.1),
                ks.objectives.Uniformity(),
            ],
            "agreement_loss",
        ),
    ],
)
def test_other_masks_and_objectives(masks, objectives, logged):
    model = make(masks, objectives)
    history = model.fit(tokens_of(), batch_size=3, verbose=0).history
    assert np.isfinite([values[0] for values in history.values()]).all()
    assert logged in history


@pytest.mark.fast_on("torch")
def test_texts_need_a_tokenizer_and_fit_keeps_that_of_its_data():
    def letters(text):
        return [ord(letter) - 96 for letter in text if letter.isalpha()]

    model = make()
    texts = ["abba", "cab", "dead beef", ""]
    with pytest.raises(ValueError, match="texts need a tokenizer"):
        model.embed(texts)
    dataset = ks.data.texts(texts, letters, length=8, batch_size=2)
    model.fit(dataset, verbose=0)
    embedded = model.embed(texts)
    np.testing.assert_allclose(model.embed(model.tokenizer(texts, 8)), embedded, rtol=1e-6)
    classifier = ks.TextClassifier.from_pretrained(model, num_classes=2)
    assert classifier.tokenizer is model.tokenizer


@pytest.mark.fast_on("torch", "tensorflow")
@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (np.full((2, 8), 12), "must be from 0, padding, to 11, got 12 to 12"),
        (np.full((2, 8), -1), "got -1 to -1"),
        (np.zeros((2, 8), int), "must have a token in some row"),
        (np.ones((2, 9), int), "length=9"),
        (np.full((2, 8), 1.5), "must be integers"),
    ],
)
def test_tokens_that_are_none_are_refused_everywhere(tokens, message):
    model = make()
    for use in (model.fit, model.evaluate, model.predict, model.embed):
        with pytest.raises(ValueError, match=message):
            use(tokens)


def test_arguments_that_are_for_images():
    backbone = ks.backbones.SequenceTransformer(9, 4, num_layers=1, num_heads=1, hidden_dim=4)
    masks = ks.masking.SpatialMasking(0.5, 1)
    for arguments, message in (
        ({"mean": 1.0}, "mean must be None for tokens"),
        ({"mask_on": "pixels"}, "mask_on must be 'features'"),
        ({"encode": "visible"}, "encode must be 'all'"),
        ({"head": ks.heads.ReconstructionHead()}, "head must be a TokenHead"),
        ({"classifier": ks.heads.ClassificationHead(2)}, "ks.TextClassifier"),
        ({"tokenizer": 3}, "tokenizer must be"),
    ):
        with pytest.raises(ValueError, match=message):
            ks.SimMIM(backbone, masks, **arguments)
    texture = ks.masking.TextureMasking(block_size=2)
    with pytest.raises(ValueError, match="hide tokens, or a field of them, whole"):
        ks.SimMIM(backbone, texture)
    model = ks.SimMIM(backbone, masks)
    with pytest.raises(ValueError, match="reconstruct shows images"):
        model.reconstruct(np.ones((1, 4), int))
    with pytest.raises(ValueError, match="backbone must be one of images"):
        ks.ImageClassifier(backbone, 2)
    with pytest.raises(ValueError, match="backbone must be one of images"):
        ks.ImageSegmenter(backbone, 2)
