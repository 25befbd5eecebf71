"""Convolutions in a SimMIM: what is hidden reaches nothing, and still is predicted."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = [pytest.mark.fast_on("torch"), pytest.mark.turned(2)]

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), dtype="uint8")


def numbers(tensor):
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def convolutional():
    images = keras.Input((16, 24, 3))
    x = keras.layers.Conv2D(6, 3, 2, padding="same")(images)
    x = keras.layers.BatchNormalization()(x)
    y = keras.layers.ReLU()(x)
    y = keras.layers.DepthwiseConv2D(5, padding="same")(y)
    x = keras.layers.Add()([x, y])
    x = keras.layers.MaxPooling2D(3, 2, padding="same")(x)
    return ks.backbones.from_keras(keras.Model(images, keras.layers.Conv2D(8, 1)(x)))


MODELS = {
    "conv stem": lambda: (
        ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8, stem="conv"),
        ks.masking.SpatialMasking(0.5, 1),
        {},
    ),
    "conv stem, two views, visible": lambda: (
        ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8, stem="conv"),
        ks.masking.SpatialMasking(0.5, 1, views=2),
        {"encode": "visible"},
    ),
    "convolutional network": lambda: (
        convolutional(),
        ks.masking.SpatialMasking(0.5, 8),
        {"mask_on": "pixels", "encode": "visible"},
    ),
    "stack of convolutions": lambda: (
        ks.backbones.ConvNet((16, 24, 3), (4, 8), strides=2),
        ks.masking.SpatialMasking(0.5, 8),
        {"mask_on": "pixels", "encode": "visible"},
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        name if name.endswith("visible") else pytest.param(name, marks=pytest.mark.long)
        for name in MODELS
    ],
)
def test_hidden_pixels_reach_nothing(name, tmp_path):
    backbone, masking, options = MODELS[name]()
    model = ks.SimMIM(backbone, masking, **options)
    found = model.masked_pass(model.normalize(IMAGES), 3, training=False)
    hidden = numbers(found.hidden)[:, :, :, :, 0]
    side = 16 // hidden.shape[2]
    for view in range(masking.views):
        noise = np.random.default_rng(1).integers(0, 256, IMAGES.shape)
        mask = hidden[:, view].repeat(side, 1).repeat(side, 2)[..., None] > 0
        changed = model.normalize(np.where(mask, noise, IMAGES).astype("uint8"))
        again = model.masked_pass(changed, 3, training=False)
        for before, after in ((found.encoded, again.encoded), (found.prediction, again.prediction)):
            np.testing.assert_allclose(numbers(before)[:, view], numbers(after)[:, view], atol=1e-5)
        # What is visible does.
        other = model.normalize(np.where(mask, IMAGES, noise).astype("uint8"))
        other = model.masked_pass(other, 3, training=False)
        assert not np.allclose(numbers(found.encoded)[:, view], numbers(other.encoded)[:, view])
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(IMAGES, epochs=8, batch_size=6, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.embed(IMAGES), model.embed(IMAGES), atol=1e-5)


def test_what_is_hidden_is_no_zero_that_convolutions_spread():
    """Masked pixels are zeros, which a plain convolution spreads into what is visible."""
    backbone, masking, _ = MODELS["stack of convolutions"]()
    plain = ks.SimMIM(backbone, masking, mask_on="pixels")
    inside = ks.SimMIM(backbone.copy(), masking, mask_on="pixels", encode="visible")
    pixels = plain.normalize(IMAGES)
    encoded = [
        numbers(each.masked_pass(pixels, 3, training=False).encoded) for each in (plain, inside)
    ]
    assert not np.allclose(*encoded)


@pytest.mark.parametrize(
    ("masking", "options"),
    [
        (ks.masking.ColorMasking(block_size=1), {}),
        (ks.masking.LearnedMasking(0.5, 1), {}),
        (ks.masking.TextureMasking(block_size=8), {"mask_on": "pixels", "encode": "visible"}),
    ],
)
def test_masks_that_cannot_act_inside_are_refused(masking, options):
    backbone = ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8, stem="conv")
    with pytest.raises(ValueError, match=r"hide whole positions"):
        ks.SimMIM(backbone, masking, **options)
