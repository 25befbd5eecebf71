"""Features of several blocks in one map."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backbones import ViT
from keras_simmim.backbones.block_fusion import BlockFusion

# What each operation gives is compared on every backend where that is.
pytestmark = pytest.mark.fast_on("torch")

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.normal(size=(2, 8, 12, 3)).astype("float32")


def make(fused_blocks=(1, 3), **options):
    vit = ViT((8, 12, 3), 4, 4, 2, 8, fused_blocks=fused_blocks, **options)
    vit.set_weights([GENERATOR.normal(size=each.shape) * 0.3 for each in vit.weights])
    return vit


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("options", [{}, {"class_token": True, "final_norm": False}])
def test_the_features_are_a_weighted_sum(options):
    vit = make(**options)
    *shallow, last = map(numpy_of, vit.block_outputs(ops.array(PIXELS)))
    plain = make((), **options)
    values = {weight.path.split("/", 1)[1]: weight for weight in vit.weights}
    for weight in plain.weights:
        weight.assign(values[weight.path.split("/", 1)[1]])
    tail = plain.encoder.norm
    plain.encoder.norm = None
    *blocks, deepest = map(numpy_of, plain.block_outputs(ops.array(PIXELS)))
    for found, expected in zip(shallow, blocks, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    fusion = vit.encoder.fusion
    weights = np.exp(numpy_of(fusion.block_weights))
    weights /= weights.sum()
    terms = [
        block @ numpy_of(projection.kernel) + numpy_of(projection.bias)
        for block, projection in zip((blocks[0], blocks[2]), fusion.projections, strict=True)
    ]
    summed = sum(weight * term for weight, term in zip(weights, (*terms, deepest), strict=True))
    expected = summed if tail is None else numpy_of(tail(ops.array(summed)))
    np.testing.assert_allclose(last, expected, rtol=1e-4, atol=1e-4)
    for training in (False, True):
        features = numpy_of(vit(ops.array(PIXELS), training=training))
        np.testing.assert_allclose(features, last, rtol=1e-4, atol=1e-4)


def test_all_positions_visible_are_all_positions():
    vit = make(class_token=True)
    stem = vit.stem(ops.array(PIXELS))
    visible = ops.array(np.tile(np.arange(6), (2, 1)), "int32")
    subset = numpy_of(vit.encoder(stem, visible=visible)).reshape(2, 2, 3, 8)
    np.testing.assert_allclose(subset, numpy_of(vit.encoder(stem)), rtol=1e-4, atol=1e-5)
    assert vit.encoder(stem, visible=visible[:, :2]).shape == (2, 2, 1, 8)


def test_the_blocks_begin_with_equal_weights():
    fusion = BlockFusion(2)
    fusion.build([(None, 3, 4)] * 3)
    tokens = GENERATOR.normal(size=(3, 2, 3, 4)).astype("float32")
    for projection in fusion.projections:
        projection.kernel.assign(np.eye(4))
    found = numpy_of(fusion([*map(ops.array, tokens)]))
    np.testing.assert_allclose(found, tokens.mean(0), rtol=1e-5, atol=1e-6)


def test_the_fusion_lies_behind_the_last_block():
    vit = make()
    assert len(vit.encoder.fusion.weights) == 5
    assert {vit.depth_of(weight) for weight in vit.encoder.fusion.weights} == {5}
    names = [weight.path.split("/", 1)[1] for weight in make(()).weights]
    assert names == [name for name in vit.named_weights() if "/fusion/" not in name]


def test_files_sizes_and_tasks(tmp_path):
    vit = make()
    vit.save(tmp_path / "vit.keras")
    copy = keras.saving.load_model(tmp_path / "vit.keras")
    images = ops.array(PIXELS)
    np.testing.assert_allclose(numpy_of(copy(images)), numpy_of(vit(images)), rtol=1e-5)
    larger = vit.resize((12, 12, 3))
    assert larger.get_config()["fused_blocks"] == (1, 3)
    np.testing.assert_array_equal(
        numpy_of(larger.encoder.fusion.block_weights), numpy_of(vit.encoder.fusion.block_weights)
    )
    ready = vit.for_task()
    assert ready.encoder.fusion is None
    before, after = (numpy_of(each.block_outputs(images)[2]) for each in (vit, ready))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("blocks", [(0,), (4,), (3, 1), (1, 1), (1.0,)])
def test_blocks_that_cannot_be_fused_are_named(blocks):
    with pytest.raises(ValueError, match=r"fused_blocks .* 1 to 3 of num_layers=4, got") as error:
        make(blocks)
    assert repr(blocks) in str(error.value)


def test_a_number_of_blocks_out_of_range_is_named():
    with pytest.raises(ValueError, match="num_blocks must be a positive integer, got 0"):
        BlockFusion(0)
