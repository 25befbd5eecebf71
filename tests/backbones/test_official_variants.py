"""The official ViT and Swin in training: half precision, and a run that is continued."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.long

BACKBONES = {
    "vit": lambda: ks.backbones.ViT(
        (16, 16, 3),
        4,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        position_embedding=False,
        relative_position_bias="shared",
        class_token=True,
        query_key_value_bias="query_value",
        layer_scale=0.1,
        drop_path_rate=0.5,
        official_initialization=True,
    ),
    "swin": lambda: ks.backbones.Swin(
        (32, 32, 3), 4, 8, (2, 1), (2, 2), window_size=4, drop_path_rate=0.5
    ),
}


def compiled(name):
    model = ks.presets.paper_simmim(BACKBONES[name]())
    model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.05, global_clipnorm=5.0))
    return model


def images_of(model):
    shape = (4, *model.backbone.image_shape)
    return np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")


@pytest.mark.parametrize(
    ("name", "precision"),
    [("vit", "mixed_float16"), ("swin", "mixed_bfloat16")],
    indirect=["precision"],
)
def test_half_precision_trains_every_weight(name, precision):
    model = compiled(name)
    before = [ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights]
    # More than one step: the first factors of stochastic depth may drop a branch of all images.
    history = model.fit(images_of(model), epochs=4, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(history["gradient_norm"]).all()
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.abs(ops.convert_to_numpy(weight) - old).max() > 0, weight.path
    features = model.backbone(ops.zeros((1, *model.backbone.image_shape)))
    assert keras.backend.standardize_dtype(features.dtype) == precision.removeprefix("mixed_")


def test_a_continued_run_skips_the_branches_of_the_uninterrupted_one(tmp_path):
    model = compiled("swin")
    images = images_of(model)
    fit = {"epochs": 2, "shuffle": False, "verbose": 0}
    model.fit(images, **fit)
    model.save(tmp_path / "model.keras")
    model.fit(images, **fit)
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert int(ops.convert_to_numpy(copy.backbone.encoder.stochastic_depth.step)) == 2
    copy.fit(images, **fit)
    for weight, expected in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(weight), ops.convert_to_numpy(expected), rtol=1e-4, atol=1e-6
        )
