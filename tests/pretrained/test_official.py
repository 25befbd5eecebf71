"""Official checkpoints: golden numbers of the official code, and files that are refused."""

import dataclasses
import json
import pathlib
import sys

import keras
import numpy as np
import parity
import pytest
import torch

import keras_simmim as ks
from keras_simmim.pretrained.official import official_name

GOLDEN = pathlib.Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
make_official = pytest.importorskip("make_official")
sys.path.remove(str(GOLDEN))


def golden(kind):
    expected = json.loads((GOLDEN / f"official_{kind}.json").read_text())
    prediction = np.load(GOLDEN / f"official_{kind}.npz")["prediction"]
    return expected, prediction


def checkpoint(kind, folder, changes=()):
    """Write what the official code would have saved; None removes an entry."""
    shapes = golden(kind)[0]["shapes"] | dict(changes)
    arrays = {
        name: torch.from_numpy(make_official.random_array(name, tuple(shape)))
        for name, shape in shapes.items()
        if shape is not None
    }
    path = folder / f"{kind}.pth"
    side = {"vit": 16, "swin": 64}[kind]
    torch.save({"model": arrays, "epoch": 7, "config": {"DATA": {"IMG_SIZE": side}}}, path)
    return str(path)


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_predictions_losses_and_gradients(kind, tmp_path):
    expected, prediction = golden(kind)
    model = ks.SimMIM.from_preset(checkpoint(kind, tmp_path))
    pixels, mask = make_official.example(model.backbone.image_shape[0])
    loss, ours, gradients = parity.measure(model, pixels, mask)
    assert prediction.std() > 0.5
    np.testing.assert_allclose(ours, prediction, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(loss, expected["loss"], rtol=1e-4)
    compared = set()
    for name, gradient in gradients.items():
        key = official_name(name, vit=kind == "vit")[0]
        norm = np.linalg.norm(gradient.astype("float64"))
        np.testing.assert_allclose(norm, expected["gradient_norms"][key], rtol=1e-3, err_msg=key)
        compared.add(key)
    assert compared == set(expected["gradient_norms"])


def test_the_variant_is_read_from_the_shapes(tmp_path):
    vit = ks.SimMIM.from_preset(checkpoint("vit", tmp_path)).backbone.get_config()
    assert vit["relative_position_bias"] == "shared"
    assert vit["query_key_value_bias"] == "query_value"
    assert vit["class_token"]
    assert not vit["position_embedding"]
    assert (vit["num_layers"], vit["num_heads"], vit["mlp_dim"]) == (2, 4, 32)
    swin = ks.SimMIM.from_preset(checkpoint("swin", tmp_path)).backbone.get_config()
    assert (swin["depths"], swin["num_heads"]) == ((2, 2, 2), (2, 4, 4))
    assert (swin["window_size"], swin["mlp_ratio"], swin["image_shape"]) == (8, 2.0, (64, 64, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.norm.bias": None}, r"Missing: \['encoder.norm.bias'\]"),
        ({"encoder.surplus": [3]}, r"Unexpected: \['encoder.surplus'\]"),
        ({"encoder.norm.bias": [5]}, r"Of another shape: \['encoder.norm.bias"),
        ({"encoder.patch_embed.proj.weight": None}, "no pretraining checkpoint of the official"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ks.SimMIM.from_preset(checkpoint("vit", tmp_path, changes))


def test_a_truncated_file_is_refused(tmp_path):
    path = pathlib.Path(checkpoint("vit", tmp_path))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"vit\.pth"):
        ks.SimMIM.from_preset(str(path))


@pytest.mark.long
def test_the_bias_moves_to_another_resolution(tmp_path):
    model = ks.SimMIM.from_preset(checkpoint("swin", tmp_path), image_shape=(96, 128, 3))
    assert model.backbone.feature_shape == (6, 8, 32)
    images = np.zeros((2, 96, 128, 3), "uint8")
    assert np.isfinite(model.evaluate(images, verbose=0, return_dict=True)["loss"])


@pytest.mark.long
def test_a_checkpoint_is_fine_tuned_at_another_resolution(tmp_path):
    """The official arrangement: a bias for each block, no final norm, a new norm and head."""
    pretrained = ks.SimMIM.from_preset(checkpoint("vit", tmp_path)).backbone
    backbone = pretrained.resize(
        (24, 24, 3), relative_position_bias="block", final_norm=False, drop_path_rate=0.1
    )
    model = keras.Sequential(
        [
            backbone,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.LayerNormalization(epsilon=1e-6, name="head_norm"),
            keras.layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    recipe = ks.training.fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 512)
    recipe = dataclasses.replace(recipe, warmup_rate=1e-2)
    optimizer = recipe.optimizer()
    optimizer.follow(backbone)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).normal(size=(6, 24, 24, 3)).astype("float32")
    model.build((None, 24, 24, 3))
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights]
    history = model.fit(images, np.arange(6) % 3, epochs=3, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    tables = 0
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.abs(keras.ops.convert_to_numpy(weight) - old).max() > 0, weight.path
        tables += weight.path.endswith("relative_position_bias_table")
    assert tables == 2


def test_a_preset_directory_comes_back(tmp_path, make_model, images):
    model = make_model()
    model.compile(keras.optimizers.AdamW(3e-3, weight_decay=0.05))
    model.save_to_preset(tmp_path / "preset")
    model.save_to_preset(tmp_path / "preset")
    copy = ks.SimMIM.from_preset(str(tmp_path / "preset"))
    np.testing.assert_allclose(copy.embed(images), model.embed(images), rtol=1e-6)
    # As JSON, where Keras' own build shapes are lists in both.
    assert json.dumps(copy.get_config()) == json.dumps(model.get_config())
    assert float(copy.optimizer.weight_decay) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="was saved for image_shape"):
        ks.SimMIM.from_preset(str(tmp_path / "preset"), image_shape=(32, 32, 3))
    (tmp_path / "preset" / "photo.jpg").touch()
    with pytest.raises(ValueError, match=r"directory=.*photo\.jpg"):
        model.save_to_preset(tmp_path / "preset")
    (tmp_path / "preset" / "model.weights.h5").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="damaged preset"):
        ks.SimMIM.from_preset(str(tmp_path / "preset"))
