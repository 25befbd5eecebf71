"""Convolutional networks that do not see what is hidden."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import ConvNet, KerasBackbone, Swin, from_keras
from keras_simmim.backbones.masked_call import gives_maps, masked_call

pytestmark = pytest.mark.fast_on("torch")

L = keras.layers
SHAPE = (16, 24, 3)
GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.normal(size=(2, *SHAPE)).astype("float32")
VISIBLE = np.zeros((2, 2, 3, 1), "float32")
VISIBLE[0, 0, 1] = VISIBLE[0, 1, 1] = VISIBLE[1, 1, 2] = 1
HIDDEN_PIXELS = VISIBLE.repeat(8, 1).repeat(8, 2) == 0


def residual():
    """What ResNets and EfficientNets are made of, with a nested model in it."""
    images = keras.Input(SHAPE)
    maps = L.ZeroPadding2D(1)(images)
    maps = L.Conv2D(4, 3, 2, name="stem_convolution")(maps)
    maps = L.ReLU()(L.BatchNormalization()(maps))
    maps = L.MaxPooling2D(2, name="stem_pooling")(maps)
    inner = keras.Input(maps.shape[1:])
    hidden = L.DepthwiseConv2D(3, padding="same", activation="relu")(inner)
    nested = keras.Model(
        inner, L.BatchNormalization()(L.SeparableConv2D(4, 3, padding="same")(hidden))
    )
    maps = maps + nested(maps)
    scale = L.Reshape((1, 1, 4))(L.GlobalAveragePooling2D()(maps))
    maps = maps * L.Conv2D(4, 1, activation="sigmoid")(scale)
    tail = keras.Sequential([L.Conv2DTranspose(4, 3, 2, padding="same"), L.Conv2D(5, 3, 2)])
    return keras.Model(images, L.Conv2D(5, 1, name="last")(tail(maps)))


def sequential():
    return keras.Sequential(
        [keras.Input(SHAPE), L.Conv2D(4, 3, 2, "same"), L.BatchNormalization(), L.Conv2D(4, 3, 2)]
    )


NETWORKS = {
    "conv_net": lambda: ConvNet(SHAPE, (4, 4), strides=2),
    "functional": lambda: from_keras(residual()),
    "cut": lambda: from_keras(residual(), mask_at="stem_pooling"),
    "sequential": lambda: from_keras(sequential()),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    backbone = NETWORKS[request.param]()
    # No bias is zero; variances are positive.
    backbone.set_weights([GENERATOR.uniform(0.1, 0.5, each.shape) for each in backbone.weights])
    return backbone


def numpy_of(call, pixels, **arguments):
    return ops.convert_to_numpy(call(ops.array(pixels), **arguments))


def test_what_is_hidden_changes_nothing_anywhere(network):
    assert network.masks_inside
    visible = ops.array(VISIBLE)
    changed = np.where(HIDDEN_PIXELS, 1e3, PIXELS).astype("float32")
    found = numpy_of(network, PIXELS, visible=visible)
    np.testing.assert_array_equal(numpy_of(network, changed, visible=visible), found)
    assert found[0].any()
    assert found[1].any()
    # The first and last columns of the first image are hidden entirely, and no window fills them.
    assert not found[0, :, 0].any()
    assert not found[0, :, -1].any()
    assert numpy_of(network, PIXELS)[0, :, 0].any()


def test_all_visible_is_no_mask(network):
    for training in (False, True):
        weights = network.get_weights()
        whole = numpy_of(network, PIXELS, training=training)
        moved = network.get_weights()
        network.set_weights(weights)
        found = numpy_of(network, PIXELS, training=training, visible=ops.ones((2, 2, 3, 1)))
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)
        for weight, expected in zip(network.get_weights(), moved, strict=True):
            np.testing.assert_allclose(weight, expected, rtol=1e-4)
        network.set_weights(weights)


def test_masking_leaves_weights_and_files_as_they_are(network, tmp_path):
    names = [weight.path for weight in network.weights]
    numpy_of(network, PIXELS, visible=ops.array(VISIBLE))
    assert [weight.path for weight in network.weights] == names
    network.save(tmp_path / "network.keras")
    copy = keras.saving.load_model(tmp_path / "network.keras")
    assert len(copy.weights) == len(names)
    arguments = {"visible": ops.array(VISIBLE)}
    expected = numpy_of(network, PIXELS, **arguments)
    np.testing.assert_allclose(numpy_of(copy, PIXELS, **arguments), expected, rtol=1e-5)


def test_batch_norms_measure_visible_positions_alone():
    model = keras.Sequential([keras.Input(SHAPE), L.BatchNormalization(momentum=0.0)])
    masked_call(model, ops.array(PIXELS), ops.array(VISIBLE), training=True)
    seen = PIXELS[~HIDDEN_PIXELS[..., 0]]
    mean, variance = map(ops.convert_to_numpy, model.layers[0].weights[2:])
    np.testing.assert_allclose(mean, seen.mean(0), atol=1e-5)
    np.testing.assert_allclose(variance, seen.var(0), atol=1e-5)


def test_no_bias_of_a_hidden_position_is_seen():
    """A max pooling behind a bias, and a convolution behind both."""
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            L.Conv2D(1, 1, bias_initializer="ones", kernel_initializer="zeros"),
            L.Conv2D(1, 3, padding="same", kernel_initializer="ones"),
        ]
    )
    visible = ops.array(np.eye(4, dtype="float32")[None, :, :, None])
    found = ops.convert_to_numpy(masked_call(model, ops.ones((1, 4, 4, 1)), visible))
    np.testing.assert_array_equal(found[0, ..., 0], np.diag([2, 3, 3, 2]))


class Trains(keras.Model):
    """Learn a masked network, so that masks run inside a compiled step."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.built = True

    def call(self, images, training=None):
        visible = ops.ones_like(images[:, ::8, ::8, :1])
        return self.backbone(images, training=training, visible=visible)


def test_a_masked_network_learns_in_a_compiled_step():
    model = Trains(from_keras(residual(), mask_at="stem_pooling"))
    model.compile("sgd", "mse", jit_compile="auto")
    targets = np.zeros((2, *model.backbone.feature_shape), "float32")
    before = [ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights]
    model.fit(PIXELS, targets, epochs=2, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(ops.convert_to_numpy(weight)).all()
        assert np.abs(ops.convert_to_numpy(weight) - old).max() > 0, weight.path


def test_tokens_are_no_maps():
    images = keras.Input((8, 8, 3))
    patches = L.Conv2D(4, 4, 4)(images)
    tokens = keras.Model(images, L.LayerNormalization()(L.Reshape((4, 4))(patches)))
    assert not from_keras(tokens).masks_inside
    again = keras.Model(images, L.Reshape((2, 2, 4))(L.Reshape((4, 4))(patches)))
    assert not gives_maps(again)
    turned = keras.Model(images, L.Permute((2, 1, 3))(patches))
    assert not gives_maps(turned)
    assert gives_maps(keras.Model(images, patches))
    for backbone in (from_keras(again), Swin((8, 8, 3), 2, 4, (1,), (1,), window_size=2)):
        with pytest.raises(ValueError, match=r"visible was given, but .* cannot mask inside"):
            backbone(ops.zeros((1, 8, 8, 3)), visible=ops.ones((1, 2, 2, 1)))


class Doubled(keras.Model):
    """Call more than its layers."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


def test_a_model_with_a_call_of_its_own_is_one_step():
    images = keras.Input((4, 4, 1))
    model = Doubled(images, L.Conv2D(1, 1, kernel_initializer="ones")(images))
    found = masked_call(model, ops.ones((1, 4, 4, 1)), ops.ones((1, 2, 2, 1)))
    assert ops.convert_to_numpy(found).tolist() == np.full((1, 4, 4, 1), 2.0).tolist()


@pytest.mark.long
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "ConvNeXtTiny"])
def test_networks_of_keras(name):
    options = {"include_preprocessing": False} if name == "ConvNeXtTiny" else {}
    options |= {"include_top": False, "weights": None, "input_shape": (64, 64, 3)}
    model = getattr(keras.applications, name)(**options)
    backbone = KerasBackbone(model)
    assert backbone.masks_inside
    pixels = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
    whole = numpy_of(backbone, pixels)
    np.testing.assert_allclose(
        numpy_of(backbone, pixels, visible=ops.ones((1, 2, 2, 1))), whole, rtol=1e-4, atol=1e-5
    )
    visible = np.zeros((1, 2, 2, 1), "float32")
    visible[:, 0, 0] = 1
    changed = pixels.copy()
    changed[:, 32:] = changed[:, :, 32:] = 5
    arguments = {"visible": ops.array(visible)}
    found = numpy_of(backbone, pixels, **arguments)
    np.testing.assert_array_equal(numpy_of(backbone, changed, **arguments), found)
    assert found[0, 0, 0].any()
    assert not found[0, 1].any()
