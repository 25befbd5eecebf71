"""The convolutional stem of the vision transformer."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import ViT
from keras_simmim.backbones.conv_stem import ConvStem

# What each operation gives is compared on every backend where that is.
pytestmark = pytest.mark.fast_on("torch")

PIXELS = np.random.default_rng(0).normal(size=(2, 16, 24, 3)).astype("float32")
VISIBLE = np.random.default_rng(1).integers(0, 2, (2, 4, 6, 1)).astype("float32")
HIDDEN_PIXELS = VISIBLE.repeat(4, 1).repeat(4, 2) == 0


def make(**options):
    vit = ViT((16, 24, 3), 4, 1, 2, 16, stem="conv", **options)
    generator = np.random.default_rng(2)
    # No bias is zero, so that what is hidden would not be zero by itself.
    vit.set_weights([generator.normal(size=weight.shape) * 0.3 for weight in vit.weights])
    return vit


def numpy_of(call, pixels, **arguments):
    return ops.convert_to_numpy(call(ops.array(pixels), **arguments))


def test_channels_double_up_to_the_width():
    assert ConvStem(16, 192).channels == [24, 48, 96, 192]
    assert ConvStem(16, 20).channels == [8, 8, 10, 20]
    assert ConvStem(2, 64).channels == [64]
    stem = make().stem
    assert [tuple(layer.kernel.shape) for layer in stem.convolutions] == [
        (3, 3, 3, 8),
        (3, 3, 8, 16),
    ]
    assert tuple(stem.projection.kernel.shape) == (1, 1, 16, 16)


def test_what_is_hidden_changes_nothing_anywhere():
    stem, visible = make().stem, ops.array(VISIBLE)
    changed = np.where(HIDDEN_PIXELS, 1e3, PIXELS).astype("float32")
    found = numpy_of(stem, PIXELS, visible=visible)
    np.testing.assert_array_equal(numpy_of(stem, changed, visible=visible), found)
    assert not found[VISIBLE[..., 0] == 0].any()
    assert np.abs(found[VISIBLE[..., 0] == 1]).min() > 0
    # Without the mask it does.
    assert np.abs(numpy_of(stem, changed) - numpy_of(stem, PIXELS)).max() > 1e-2


def test_all_visible_is_no_mask():
    vit = make()
    found = numpy_of(vit, PIXELS, visible=ops.ones((2, 4, 6, 1)))
    np.testing.assert_array_equal(found, numpy_of(vit, PIXELS))


def test_a_position_depends_on_visible_neighbors_alone():
    """No place where something hidden was is left in the map, at any resolution."""
    stem, single = make().stem, np.zeros((2, 4, 6, 1), "float32")
    single[:, 1, 2] = 1
    found = numpy_of(stem, PIXELS, visible=ops.array(single))[:, 1, 2]
    alone = np.zeros((2, 8, 8, 3), "float32")
    alone[:, :4, :4] = PIXELS[:, 4:8, 8:12]
    corner = np.zeros((2, 2, 2, 1), "float32")
    corner[:, 0, 0] = 1
    expected = numpy_of(stem, alone, visible=ops.array(corner))[:, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_whole_of_the_stem_lies_at_depth_0(tmp_path):
    vit = make()
    assert len(vit.stem.weights) == 10
    assert {vit.depth_of(weight) for weight in vit.stem.weights} == {0}
    vit.save(tmp_path / "vit.keras")
    copy = keras.saving.load_model(tmp_path / "vit.keras")
    np.testing.assert_array_equal(numpy_of(copy, PIXELS), numpy_of(vit, PIXELS))
    assert copy.masks_inside
    larger = vit.resize((24, 24, 3))
    np.testing.assert_array_equal(
        numpy_of(larger.stem, PIXELS[:, :, :16]), numpy_of(vit.stem, PIXELS[:, :, :16])
    )
    assert larger.positions == (6, 6)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"patch_size .* power of two, 2 at least, got 6"):
        ViT((12, 12, 3), 6, 1, 2, 16, stem="conv")
    with pytest.raises(ValueError, match="power of two, 2 at least, got 1"):
        ConvStem(1, 8)
    with pytest.raises(ValueError, match="hidden_dim must be a positive integer, got 0"):
        ConvStem(2, 0)
    with pytest.raises(ValueError, match="stem must be 'patch' or 'conv', got 'hybrid'"):
        ViT((8, 8, 3), 4, 1, 2, 16, stem="hybrid")
    patches = ViT((8, 8, 3), 4, 1, 2, 16)
    assert not patches.masks_inside
    with pytest.raises(ValueError, match=r"visible was given, but ViT .* cannot mask inside"):
        patches(ops.zeros((1, 8, 8, 3)), visible=ops.ones((1, 2, 2, 1)))
