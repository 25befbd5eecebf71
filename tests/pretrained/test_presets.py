"""The presets are what they say, train, and come back from a file."""

import inspect

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


@pytest.mark.parametrize(
    "name", ["article_learned_mask", pytest.param("article_cnn", marks=pytest.mark.long)]
)
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
        ((96, 96, 3), 12, 24),
        *(
            pytest.param(*sizes, marks=pytest.mark.long)
            for sizes in (
                ((224, 224, 3), 16, 32),
                ((64, 64, 3), 8, 16),
                ((32, 32, 3), 4, 8),
                ((64, 96, 5), 8, 16),
                ((44, 44, 3), 4, 4),
                ((6, 8, 3), 2, 2),
            )
        ),
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


# Width, heads, blocks and window of the networks of the paper (section 4.1) and of DeiT.
PAPER = {
    "simmim_vit_tiny": {"hidden_dim": 192, "num_heads": 3},
    "simmim_vit_small": {"hidden_dim": 384, "num_heads": 6},
    "simmim_vit_base": {"hidden_dim": 768, "num_heads": 12},
    "simmim_swin_tiny": {
        "hidden_dim": 96,
        "num_heads": (3, 6, 12, 24),
        "depths": (2, 2, 6, 2),
        "window_size": 6,
    },
    "simmim_swin_base": {
        "hidden_dim": 128,
        "num_heads": (4, 8, 16, 32),
        "depths": (2, 2, 18, 2),
        "window_size": 6,
    },
    "simmim_swin_large": {
        "hidden_dim": 192,
        "num_heads": (6, 12, 24, 48),
        "depths": (2, 2, 18, 2),
        "window_size": 12,
    },
}


@pytest.mark.any_backend
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_networks(name, monkeypatch):
    """Their arguments only: the large ones take long to build."""
    monkeypatch.setattr(ks.presets, "paper_simmim", lambda backbone, seed: backbone)
    is_vit = "vit" in name
    kind = ks.backbones.ViT if is_vit else ks.backbones.Swin
    signature = inspect.signature(kind)

    def arguments_of(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    monkeypatch.setattr(ks.backbones, kind.__name__, arguments_of)
    arguments = ks.SimMIM.from_preset(name)
    assert {key: arguments[key] for key in PAPER[name]} == PAPER[name]
    if is_vit:
        assert arguments["image_shape"] == (224, 224, 3)
        assert (arguments["patch_size"], arguments["num_layers"]) == (16, 12)
        assert not arguments["position_embedding"]
        assert arguments["relative_position_bias"] == "shared"
        assert arguments["query_key_value_bias"] == "query_value"
        assert (arguments["layer_scale"], arguments["drop_path_rate"]) == (0.1, 0.1)
        assert arguments["class_token"]
        assert arguments["official_initialization"]
        assert arguments["epsilon"] == 1e-6
    else:
        assert arguments["image_shape"] == (192, 192, 3)
        assert (arguments["patch_size"], arguments["epsilon"]) == (4, 1e-5)
        assert (arguments["mlp_ratio"], arguments["drop_path_rate"]) == (4, 0)


def test_the_papers_masks_and_head():
    """22 of 36 blocks of 32 pixels at 192²."""
    backbone = ks.backbones.Swin((192, 192, 3), 4, 4, (1, 1, 1, 1), (1, 1, 1, 1), 6)
    model = ks.presets.paper_simmim(backbone)
    assert model.mask_generator.block_size == (8, 8)
    mask = numbers(model.mask_generator.draw(ops.zeros((1, 1)), 0))
    assert mask.size == 36
    assert int(mask.sum()) == 22
    assert model.head.stride == (32, 32)
    assert tuple(model.head.projection.kernel.shape) == (32, 32 * 32 * 3)
    assert tuple(model.mask_token.shape) == (4,)


@pytest.mark.long
def test_the_smallest_map_of_the_papers_masks_is_trained():
    small = ks.presets.paper_simmim(
        ks.backbones.Swin((64, 32, 3), 4, 4, (1, 1), (1, 1), 4, drop_path_rate=0.1)
    )
    images = np.zeros((2, 64, 32, 3), "uint8")
    assert np.isfinite(small.fit(images, verbose=0).history["loss"]).all()


def test_what_is_no_preset_is_named():
    with pytest.raises(ValueError, match=r"'simmim_swin_base'.*\.keras, a directory.*got 'vit_b'"):
        ks.SimMIM.from_preset("vit_b")
