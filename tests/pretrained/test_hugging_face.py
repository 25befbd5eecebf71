"""Models saved by Hugging Face's transformers: the same predictions, losses and gradients."""

import copy
import json

import keras
import numpy as np
import parity
import pytest
import safetensors.numpy
import torch
import transformers
from keras import ops

import keras_simmim as ks
from keras_simmim.layers import transformer_block
from keras_simmim.pretrained.hugging_face import hugging_face_names
from keras_simmim.pretrained.names import as_keras, named_weights

pytestmark = pytest.mark.long

VIT = {
    "image_size": 16,
    "patch_size": 4,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "encoder_stride": 4,
}
SWIN = {
    "image_size": 32,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
    "encoder_stride": 4,
}
CONFIGS = {
    "vit": ("ViT", VIT),
    "vit, one channel, no biases": ("ViT", {**VIT, "num_channels": 1, "qkv_bias": False}),
    "vit, large epsilon": ("ViT", {**VIT, "layer_norm_eps": 0.1}),
    "swin": ("Swin", SWIN),
    "swin, positions": ("Swin", {**SWIN, "use_absolute_embeddings": True, "mlp_ratio": 2.0}),
    "swin, padded windows": ("Swin", {**SWIN, "window_size": 3, "qkv_bias": False}),
    "swin, odd maps": (
        "Swin",
        {**SWIN, "image_size": 28, "depths": [2, 1, 1], "num_heads": [2, 2, 4], "encoder_stride": 7}
        | {"window_size": 3},
    ),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A function that saves a Hugging Face model with large random weights, once for each."""
    models = {}

    def save(name):
        if name not in models:
            kind, arguments = CONFIGS[name]
            config = getattr(transformers, f"{kind}Config")(**arguments)
            model = getattr(transformers, f"{kind}ForMaskedImageModeling")(config).eval()
            generator = np.random.default_rng(0)
            with torch.no_grad():
                for parameter in model.parameters():
                    # Every part must matter: no bias is zero, no scale is one.
                    values = generator.normal(size=parameter.shape) * 0.4
                    parameter.copy_(torch.from_numpy(values))
            folder = tmp_path_factory.mktemp("hugging_face")
            model.save_pretrained(folder)
            models[name] = model, folder
        return models[name]

    return save


def theirs(model, pixels, mask, folder):
    """Loss, prediction and gradients of Hugging Face's model, the gradients by their names.

    In memory its parameters have other names than in a file; so the gradients go through one.
    """
    model = copy.deepcopy(model)
    output = model(
        torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()),
        bool_masked_pos=torch.from_numpy(mask),
    )
    output.loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.grad)
    model.save_pretrained(folder)
    gradients = safetensors.numpy.load_file(folder / "model.safetensors")
    return output.loss.item(), output.reconstruction.detach().numpy(), gradients


def example(model):
    config = model.config
    generator = np.random.default_rng(1)
    shape = (3, config.image_size, config.image_size, config.num_channels)
    positions = (config.image_size // config.patch_size) ** 2
    return generator.normal(size=shape).astype("float32"), parity.example_mask(3, positions)


@pytest.mark.parametrize("name", CONFIGS)
def test_predictions_losses_and_gradients(name, saved, tmp_path):
    model, folder = saved(name)
    pixels, mask = example(model)
    loss, prediction, gradients = parity.measure(ks.SimMIM.from_preset(str(folder)), pixels, mask)
    their_loss, their_prediction, their_gradients = theirs(model, pixels, mask, tmp_path)
    their_prediction = their_prediction.transpose(0, 2, 3, 1)
    assert their_prediction.std() > 0.5
    np.testing.assert_allclose(prediction, their_prediction, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(loss, their_loss, rtol=1e-4)
    for ours_name, gradient in gradients.items():
        keys = hugging_face_names(ours_name, vit=CONFIGS[name][0] == "ViT")
        expected = as_keras([their_gradients[key] for key in keys], ours_name, gradient.shape)
        scale = np.abs(expected).max()
        assert scale > 0, ours_name
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-3, atol=1e-3 * scale, err_msg=ours_name
        )


def zero_the_tables(model, monkeypatch):
    for weight in model.backbone.weights:
        if weight.path.endswith("relative_position_bias_table"):
            weight.assign(np.zeros(weight.shape))


def drop_the_shift(model, monkeypatch):
    for block in (block for stage in model.backbone.encoder.stages for block in stage):
        block.shift = 0


def drop_the_separation(model, monkeypatch):
    for block in (block for stage in model.backbone.encoder.stages for block in stage):
        block.separation = 0 * block.separation


def half_the_heads(model, monkeypatch):
    for block in model.backbone.encoder.blocks:
        block.num_heads, block.head_dim = block.num_heads // 2, 2 * block.head_dim


def approximate_gelu(model, monkeypatch):
    monkeypatch.setattr(transformer_block, "gelu", lambda x: keras.ops.gelu(x, approximate=True))


@pytest.mark.parametrize(
    ("name", "mutate"),
    [
        ("swin", zero_the_tables),
        ("swin", drop_the_shift),
        ("swin", drop_the_separation),
        ("vit", half_the_heads),
        ("vit", approximate_gelu),
    ],
)
def test_a_wrong_model_would_be_found(name, mutate, saved, monkeypatch):
    folder = saved(name)[1]
    pixels, mask = example(saved(name)[0])
    model = ks.SimMIM.from_preset(str(folder))
    right = parity.predict(model, pixels, mask)
    mutate(model, monkeypatch)
    wrong = parity.predict(model, pixels, mask)
    assert not np.allclose(wrong, right, rtol=1e-4, atol=1e-4)


def damaged(saved, tmp_path, name="vit", config=(), arrays=()):
    """A copy of a saved model with changed entries; None removes one."""
    _, folder = saved(name)
    settings = json.loads((folder / "config.json").read_text()) | dict(config)
    weights = safetensors.numpy.load_file(folder / "model.safetensors") | dict(arrays)
    (tmp_path / "config.json").write_text(
        json.dumps({key: value for key, value in settings.items() if value is not None})
    )
    kept = {key: value for key, value in weights.items() if value is not None}
    safetensors.numpy.save_file(kept, tmp_path / "model.safetensors")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"model_type": "beit"}}, "model_type 'beit'; 'vit' and 'swin'"),
        ({"config": {"hidden_act": "relu"}}, "hidden_act 'relu'"),
        ({"config": {"patch_size": None}}, "config.json has no 'patch_size'"),
        ({"config": {"patch_size": 5}}, "patch_size=5 must divide"),
        ({"config": {"hidden_size": 32}}, "Of another shape: .*vit.embeddings.cls_token"),
        ({"config": {"num_hidden_layers": 1}}, "Unexpected: .*vit.encoder.layer.1"),
        ({"arrays": {"vit.layernorm.bias": None}}, "Missing: .'vit.layernorm.bias'"),
        ({"arrays": {"surplus": np.zeros(3, "f")}}, "Unexpected: .'surplus'"),
        ({"name": "swin", "config": {"window_size": 5}}, "relative_position_bias_table"),
    ],
)
def test_another_architecture_is_refused(changes, message, saved, tmp_path):
    with pytest.raises(ValueError, match=message):
        ks.SimMIM.from_preset(damaged(saved, tmp_path, **changes))


def test_the_pixels_are_normalised_as_the_model_was_fed(saved, tmp_path):
    folder = damaged(saved, tmp_path)
    preprocessor = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    model = ks.SimMIM.from_preset(folder)
    assert model.mean == pytest.approx((127.5,) * 3)
    assert model.std == pytest.approx((63.75, 127.5, 127.5))


def test_another_image_size_keeps_what_does_not_depend_on_it(saved):
    folder = str(saved("vit")[1])
    model = ks.SimMIM.from_preset(folder)
    larger = ks.SimMIM.from_preset(folder, image_shape=(24, 32, 3))
    assert larger.backbone.feature_shape == (6, 8, 16)
    weights = named_weights(larger)
    for name, weight in named_weights(model).items():
        if name != "encoder/position_embedding":
            np.testing.assert_array_equal(
                ops.convert_to_numpy(weight), ops.convert_to_numpy(weights[name])
            )
    images = np.zeros((2, 24, 32, 3), "uint8")
    assert larger.embed(images).shape == (2, 16)
