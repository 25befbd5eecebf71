"""What the rooms promise each other: a new backbone, head or task is an addition."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


class Stripes(ks.backbones.Backbone):
    """A backbone of one's own: it says no more of itself than its two halves."""

    def __init__(self):
        stem = keras.layers.Conv2D(4, (4, 4), strides=4)
        super().__init__((16, 24, 3), stem, keras.layers.Conv2D(6, 3, strides=2, padding="same"))


class Brightness(ks.heads.Head):
    """A head of one's own: one number for all pixels."""

    def build(self, input_shape):
        self.dense = keras.layers.Dense(1)
        self.dense.build((None, input_shape[-1]))

    def call(self, features):
        mean = self.dense(ops.mean(features, axis=(1, 2)))
        return ops.reshape(mean, (-1, 1, 1, 1)) * ops.ones(self.target_shape)


def test_a_backbone_says_what_it_is():
    stripes = Stripes()
    assert (stripes.example_shape, stripes.positions) == ((16, 24, 3), (4, 6))
    assert stripes.stages == [(8, 6)]
    assert stripes.looks_around
    assert not stripes.encodes_subsets
    vit = ks.backbones.ViT((16, 24, 3), 8, 2, 2, 8)
    assert (vit.positions, vit.stages, vit.num_blocks) == ((2, 3), [(8, 8)], 2)
    assert vit.encodes_subsets
    sizes = {"hidden_dim": 4, "depths": (1, 2), "num_heads": (1, 1), "window_size": 2}
    swin = ks.backbones.Swin((16, 24, 3), 2, **sizes)
    assert (swin.stages, swin.num_blocks) == ([(2, 4), (4, 8)], 3)
    assert not ks.backbones.ConvNet((8, 8, 3)).looks_around


def test_a_backbone_and_a_head_of_ones_own_train_are_saved_and_exported_by_name(images, tmp_path):
    backbone, head = Stripes(), Brightness()
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 2), head=head)
    model.compile("adam")
    logs = model.fit(images, batch_size=4, verbose=0).history
    assert np.isfinite(logs["spatial_loss"]).all()
    assert model.embed(images).shape == (8, 6)
    outputs = model.outputs(backbone(model.normalize(images)))
    np.testing.assert_allclose(numbers(outputs["embedding"]), model.embed(images), rtol=1e-5)
    # What was given is as it was: one head may serve several models.
    assert head.image_shape is None
    assert head.target_shape == (16, 24, 3)


def test_a_head_of_another_size_is_refused():
    head = ks.heads.ReconstructionHead((32, 48, 3))
    with pytest.raises(ValueError, match=r"image_shape=\(32, 48, 3\), but the images"):
        ks.SimMIM(Stripes(), ks.masking.SpatialMasking(0.5, 2), head=head)


def test_freezing_a_classifier_freezes_nothing_else():
    backbone = ks.backbones.ViT((16, 24, 3), 8, 1, 2, 8)
    backbone.stem.trainable = False
    kept = ks.ImageClassifier(backbone, 2)
    assert kept.backbone is backbone
    assert not backbone.stem.trainable
    assert backbone.encoder.trainable
    frozen = ks.ImageClassifier(backbone, 2, frozen=True)
    assert frozen.backbone is not backbone
    assert not frozen.backbone.trainable_weights
    assert len(backbone.trainable_weights) == len(backbone.encoder.weights)
    for one, other in zip(backbone.weights, frozen.backbone.weights, strict=True):
        np.testing.assert_array_equal(numbers(one), numbers(other))


def test_metrics_are_fed_by_name_whatever_their_shapes():
    """A task whose targets are maps: the metric sees maps."""

    class Maps(ks.models.ImageModel):
        predicted = "maps"

        def __init__(self, backbone):
            super().__init__(backbone)
            self.trackers = [keras.metrics.Mean(name="loss")]
            self.build(None)

        def outputs(self, features):
            return {**super().outputs(features), "maps": ops.mean(features, axis=-1)}

        def compile(self, optimizer, metrics=()):
            super().compile(optimizer)
            self.user_metrics.choose("maps", metrics)

        def compute_losses(self, data, training):
            images, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
            maps = self.outputs(self.backbone(self.normalize(images), training=training))["maps"]
            targets = ops.cast(targets, "float32")
            loss = ops.mean(ops.square(maps - targets))
            return ks.training.Measured(
                losses={"loss": (loss, ops.cast(ops.shape(images)[0], "float32"))},
                outputs={"maps": maps},
                targets={"maps": targets},
                weights={"maps": ops.ones_like(targets[:, 0, 0])},
            )

    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype="uint8")
    targets = np.random.default_rng(1).random((4, 8, 8)).astype("float32")
    model = Maps(ks.backbones.ConvNet((8, 8, 3), (4,)))
    model.compile(keras.optimizers.SGD(1e-3), metrics=["mae", keras.metrics.MeanSquaredError()])
    model.fit(images, targets, batch_size=2, verbose=0)
    measured = model.evaluate(images, targets, batch_size=2, verbose=0, return_dict=True)
    predicted = model.predict(images, verbose=0)
    errors = predicted - targets
    assert measured["loss"] == pytest.approx(np.square(errors).mean(), rel=1e-4)
    assert measured["mean_squared_error"] == pytest.approx(measured["loss"], rel=1e-4)
    assert measured["mean_absolute_error"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
