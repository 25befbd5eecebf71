"""Keras models of other libraries as backbones."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.backbones import from_keras

L = keras.layers


def small(shape=(16, 24, 3)):
    """Two convolutions, a residual block with batch norm, and no more."""
    images = keras.Input(shape)
    stem = L.Conv2D(4, 4, 4, name="patches")(images)
    branch = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="inner")(stem))
    return keras.Model(images, L.Conv2D(6, 1, name="last")(L.Add(name="sum")([stem, branch])))


def pixels_of(backbone):
    shape = (2, *backbone.image_shape)
    return ops.array(np.random.default_rng(0).normal(size=shape), "float32")


def check(backbone, model):
    """The halves make the whole, and have the shapes they say."""
    pixels = pixels_of(backbone)
    stem = backbone.stem(pixels)
    features = ops.convert_to_numpy(backbone.encoder(stem))
    assert tuple(stem.shape[1:]) == backbone.stem_shape
    assert features.shape[1:] == backbone.feature_shape
    whole = ops.convert_to_numpy(model(pixels))
    whole = whole[:, -np.prod(features.shape[1:3]) :] if whole.ndim == 3 else whole
    np.testing.assert_allclose(features, whole.reshape(features.shape), rtol=1e-5, atol=1e-5)


@pytest.mark.fast_on("torch")
def test_a_small_model_trains_and_comes_back(tmp_path):
    model = small()
    backbone = from_keras(model, mask_at="patches")
    check(backbone, model)
    assert backbone.stem_shape == (4, 6, 4)
    simmim = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 2))
    simmim.compile(keras.optimizers.Adam(1e-2))
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype="uint8")
    before = [ops.convert_to_numpy(weight).copy() for weight in model.weights]
    assert np.isfinite(simmim.fit(images, verbose=0).history["loss"]).all()
    # The model's own weights are trained, moving statistics among them.
    for weight, old in zip(model.weights, before, strict=True):
        assert np.abs(ops.convert_to_numpy(weight) - old).max() > 0, weight.path
    simmim.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(copy.embed(images), simmim.embed(images), rtol=1e-5)
    assert copy.backbone.mask_at == "patches"


def test_pixels_are_masked_without_a_layer_to_mask_at():
    model = small()
    backbone = from_keras(model)
    check(backbone, model)
    simmim = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 8), mask_on="pixels")
    images = np.zeros((2, 16, 24, 3), "uint8")
    simmim.compile(keras.optimizers.Adam(1e-2))
    assert np.isfinite(simmim.evaluate(images, verbose=0, return_dict=True)["loss"])


@pytest.mark.long
def test_resnet():
    model = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(32, 64, 3), pooling=None
    )
    backbone = from_keras(model, mask_at="pool1_pool")
    assert backbone.stem_shape == (8, 16, 64)
    assert backbone.feature_shape == (1, 2, 2048)
    check(backbone, model)
    with pytest.raises(ValueError, match=r"mask_at='conv2_block1_1_conv' does not cut.*pool1_pool"):
        from_keras(model, mask_at="conv2_block1_1_conv")


@pytest.mark.long
def test_convnext():
    arguments = {"include_top": False, "weights": None, "input_shape": (32, 32, 3)}
    model = keras.applications.ConvNeXtTiny(include_preprocessing=False, **arguments)
    stem = next(layer.name for layer in model.layers if layer.name.endswith("stem"))
    backbone = from_keras(model, mask_at=stem)
    assert backbone.stem_shape == (8, 8, 96)
    assert backbone.feature_shape == (1, 1, 768)
    check(backbone, model)


def test_a_model_that_normalizes_is_refused():
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, L.Conv2D(2, 2, 2)(L.Rescaling(1 / 255, name="rescale")(images)))
    with pytest.raises(ValueError, match=r"normalizes .* 'rescale'.*include_rescaling=False"):
        from_keras(model)


@pytest.mark.long
def test_the_vit_of_keras_hub():
    with warnings.catch_warnings():
        # Its dependencies' own deprecations.
        warnings.simplefilter("ignore")
        import keras_hub

        model = keras_hub.models.ViTBackbone((16, 24, 3), (8, 8), 1, 2, 8, 16)
    backbone = from_keras(model)
    assert backbone.feature_shape == (2, 3, 8)
    check(backbone, model)
    layer = next(layer.name for layer in model.layers if "patching" in layer.name)
    with pytest.raises(ValueError, match=r"mask_at=.*Tokens carry their positions"):
        from_keras(model, mask_at=layer)


@pytest.mark.long
def test_the_csp_dark_net_of_keras_cv():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from keras_cv.models import CSPDarkNetBackbone

        model = CSPDarkNetBackbone(
            stackwise_channels=[4, 8, 8, 8],
            stackwise_depth=[1, 1, 1, 1],
            include_rescaling=False,
            input_shape=(64, 64, 3),
        )
    names = [layer.name for layer in model.layers if len(layer.output.shape) == 4]
    cuts = []
    for name in names[1:12]:
        try:
            cuts.append(from_keras(model, mask_at=name))
        except ValueError:
            continue
    assert cuts
    check(cuts[-1], model)


@pytest.mark.parametrize(
    ("model", "mask_at", "message"),
    [
        (lambda: small((None, None, 3)), None, r"fixed input shape \(H, W, C\)"),
        (lambda: L.Dense(3), None, "must be a built functional"),
        (
            lambda: keras.Sequential([keras.Input((4, 4, 3)), L.Flatten()]),
            None,
            "include_top=False",
        ),
        (small, "nowhere", r"mask_at must be one of \['patches', 'inner'.*got 'nowhere'"),
        (small, "inner", "does not cut the model in two"),
    ],
)
def test_what_does_not_fit_is_named(model, mask_at, message):
    with pytest.raises(ValueError, match=message):
        from_keras(model(), mask_at)
