"""The layout of images is fixed, whatever the user's keras.json says."""

import keras
import numpy as np
import pytest

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch", "tensorflow")


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def backbones():
    yield ks.backbones.ViT((16, 24, 3), 4, 1, 2, 8)
    yield ks.backbones.Swin((16, 24, 3), 2, 8, (1, 1), (1, 2), window_size=4)
    yield ks.backbones.ConvNet((16, 24, 3), filters=(4, 8), strides=2)


@pytest.mark.usefixtures("channels_first")
def test_backbones_give_what_they_give_elsewhere(images):
    pixels = images.astype("float32") / 255
    for backbone in backbones():
        found = keras.ops.convert_to_numpy(backbone(pixels))
        keras.config.set_image_data_format("channels_last")
        again = type(backbone).from_config(backbone.get_config())
        again.set_weights(backbone.get_weights())
        np.testing.assert_allclose(keras.ops.convert_to_numpy(again(pixels)), found, atol=1e-5)
        keras.config.set_image_data_format("channels_first")


@pytest.mark.usefixtures("channels_first")
def test_training_with_augmentation(images):
    model = ks.ImageClassifier(
        ks.backbones.ConvNet((16, 24, 3), filters=(4,)),
        2,
        erasing=0.5,
        mixup=0.8,
        cutmix=1.0,
        color_jitter=0.4,
        rand_augment=5 if keras.backend.backend() == "torch" else 0,
    )
    model.compile("sgd")
    history = model.fit(images, np.arange(8) % 2, batch_size=8, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_a_network_that_was_built_for_it_is_refused():
    images = keras.Input((16, 24, 3))
    layer = keras.layers.Conv2D(4, 3, padding="same", data_format="channels_first", name="first")
    with pytest.raises(ValueError, match="'first' has data_format='channels_first'"):
        ks.backbones.from_keras(keras.Model(images, layer(images)))
