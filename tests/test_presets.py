"""The presets are what they say, train, and come back from a file."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (8, 16, 24, 3), dtype="uint8"), np.arange(8) % 4


ARTICLE = {
    # 64 filters of 3×3×3 and biases; a linear layer on 16×24 positions.
    "article_cnn": 64 * 27 + 64 + 16 * 24 * 4 + 4,
    # The same filters; 64→1, 64→10, 10→4.
    "article_learned_mask": 64 * 27 + 64 + 65 + 650 + 44,
}


@pytest.mark.parametrize("name", ARTICLE)
def test_the_articles_networks(name, data, tmp_path):
    images, labels = data
    model = ks.SimMIM.from_preset(name, image_shape=(16, 24, 3), num_classes=4)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == ARTICLE[name]
    assert float(numbers(model.optimizer.learning_rate)) == pytest.approx(1e-3)
    before = [numbers(weight).copy() for weight in model.trainable_weights]
    logs = model.fit(images, labels, epochs=3, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert logs["loss"] == logs["classification_loss"]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.abs(numbers(weight) - old).max() > 0, weight.path
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(copy.predict(images, verbose=0), probabilities, rtol=1e-5)


@pytest.mark.parametrize(
    ("image_shape", "patch", "block"),
    [
        ((224, 224, 3), 16, 32),
        ((96, 96, 3), 12, 24),
        ((64, 64, 3), 8, 16),
        ((32, 32, 3), 4, 8),
        ((64, 96, 5), 8, 16),
        ((44, 44, 3), 4, 4),
        ((6, 8, 3), 2, 2),
    ],
)
def test_sizes_fit_the_image(image_shape, patch, block):
    model = ks.presets.multimodal_vit_tiny(image_shape)
    grid = (image_shape[0] // patch, image_shape[1] // patch)
    assert model.backbone.feature_shape == (*grid, 192)
    assert model.mask_generator.block_size == (block, block)
    assert model.mask_generator.names == ("spatial", "color", "texture")
    assert model.mask_on == "pixels"
    assert model.mask_generator.views == 3


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"preset must be one of \['article_cnn'.* got 'vit'"):
        ks.SimMIM.from_preset("vit")
    with pytest.raises(ValueError, match="ColorMasking needs at least 2 channels"):
        ks.SimMIM.from_preset("multimodal_vit_tiny", image_shape=(32, 32, 1))
    with pytest.raises(ValueError, match="common divisor from 2 to 16"):
        ks.SimMIM.from_preset("multimodal_vit_tiny", image_shape=(17, 34, 3))
    with pytest.raises(TypeError, match="num_classes"):
        ks.SimMIM.from_preset("article_cnn", image_shape=(32, 32, 3))
