"""Images, features and tensors of another size than a part was built for are refused."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.models.normalization import Normalize

pytestmark = pytest.mark.fast_on("torch", "tensorflow")
WRONG = {
    "larger": (6, 32, 48, 3),
    "of as many patches as two": (6, 16, 48, 3),
    "turned": (6, 24, 16, 3),
    "gray": (6, 16, 24, 1),
    "without a batch": (16, 24, 3),
}


@pytest.fixture(scope="module")
def classifier():
    model = ks.ImageClassifier(ks.backbones.ViT((16, 24, 3), 4, 1, 2, 16), 2)
    model.compile("sgd")
    return model


@pytest.fixture(scope="module")
def pretrained(make_model):
    model = make_model()
    model.compile("sgd")
    return model


@pytest.mark.parametrize("shape", WRONG.values(), ids=WRONG)
def test_every_way_in_names_both_sizes(classifier, pretrained, shape):
    images = np.zeros(shape, "uint8")
    labels = np.arange(len(images)) % 2
    # In a graph the batch may have any size.
    message = rf"\(B, 16, 24, 3\), got \(\w+, {', '.join(map(str, shape[1:]))}\)"
    calls = [
        lambda: classifier(images),
        lambda: classifier.predict(images, verbose=0),
        lambda: classifier.fit(images, labels, verbose=0),
        lambda: classifier.evaluate(images, labels, verbose=0),
        lambda: classifier.backbone(images.astype("float32")),
        lambda: classifier.backbone.block_outputs(images.astype("float32")),
        lambda: classifier.embed(images),
        lambda: classifier.embed_blocks(images),
        lambda: pretrained.fit(images, verbose=0),
        lambda: pretrained.reconstruct(images),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
    # Nothing is lost.
    assert classifier.predict(np.zeros((2, 16, 24, 3)), verbose=0).shape == (2, 2)
    assert pretrained.embed(np.zeros((2, 16, 24, 3))).shape == (2, 16)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((2, 32, 32, 3), r"image_size=\(16, 24\) .* backbone.resize\(\(32, 32, 3\)\)"),
        ((2, 16, 24, 1), "takes 3 channels"),
        ((16, 24, 3), r"images\[None\]"),
    ],
)
def test_the_error_says_the_way_out(classifier, shape, advice):
    with pytest.raises(ValueError, match=advice):
        classifier.embed(np.zeros(shape, "uint8"))


@pytest.mark.parametrize("encode", ["all", "visible"])
def test_sizes_that_are_not_known_before_a_batch_comes(containers, make_model, encode):
    import tensorflow as tf

    model = make_model(encode=encode)
    model.compile("sgd")

    def unknown(shape):
        images = tf.constant(np.zeros(shape, "uint8"))
        # Nothing is known of what a Python function returns.
        return containers["dataset"](np.arange(8)).map(
            lambda rows: tf.ensure_shape(
                tf.py_function(lambda rows: tf.gather(images, rows), [rows], tf.uint8), [None] * 4
            )
        )

    model.fit(unknown((8, 16, 24, 3)), verbose=0)
    error = (ValueError, tf.errors.InvalidArgumentError)
    with pytest.raises(error, match=r"16,\s?24,\s?3"):
        model.fit(unknown((8, 32, 24, 3)), verbose=0)


def test_other_backbones(classifier):
    swin = ks.backbones.Swin((16, 16, 3), 2, 8, (1, 1), (1, 2), window_size=4)
    images = keras.Input((16, 16, 3))
    plain = ks.backbones.from_keras(
        keras.Model(images, keras.layers.Conv2D(4, 2, 2, data_format="channels_last")(images))
    )
    for backbone in (swin, plain, ks.backbones.ConvNet((16, 16, 3), (4,))):
        with pytest.raises(ValueError, match=r"\(B, 16, 16, 3\), got \(2, 8, 32, 3\)"):
            backbone(ops.zeros((2, 8, 32, 3)))


def test_parts_that_reshape():
    def built(layer, shape):
        layer.build(shape)
        return layer

    encoder = ks.backbones.ViT((16, 24, 3), 4, 1, 2, 16).encoder
    flat = built(ks.heads.ClassificationHead(2, pooling="flatten"), (None, 2, 2, 4))
    pixels = built(ks.heads.ReconstructionHead((16, 24, 3)), (None, 4, 6, 4))
    deep = built(ks.heads.TransformerHead(8, image_shape=(16, 24, 3)), (None, 4, 6, 4))
    masking = built(ks.masking.SpatialMasking(0.5, 2), (None, 4, 6, 4))
    for layer, shape in (
        (encoder, (2, 8, 6, 16)),
        (flat, (2, 4, 2, 4)),
        (pixels, (2, 8, 6, 4)),
        (deep, (2, 8, 6, 4)),
        (masking, (2, 8, 6, 4)),
        (Normalize((16, 24, 3), (0.0,) * 3, (1.0,) * 3), (2, 8, 6, 3)),
    ):
        with pytest.raises(ValueError, match=rf"got|found shape=\({', '.join(map(str, shape))}\)"):
            layer(ops.zeros(shape))
