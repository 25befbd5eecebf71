"""Every dtype policy trains, and a first step has about the loss that float32 gives it.

JAX computes float64 in float32, with a warning, unless JAX_ENABLE_X64 is set.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")
POLICIES = ["float64", "bfloat16", "mixed_bfloat16", "mixed_float16"]


def labelled():
    """Relative positions, scaled and skipped branches, and labels."""
    backbone = ks.backbones.ViT(
        (16, 16, 3),
        4,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        relative_position_bias="shared",
        class_token=True,
        layer_scale=0.1,
    )
    classifier = ks.heads.ClassificationHead(3, pooling="attention")
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 2), classifier=classifier)


def learned():
    """Windows, masks that are learned in float32, and two modalities."""
    backbone = ks.backbones.Swin((16, 16, 3), 2, 8, (1, 1), (1, 2), window_size=4)
    modalities = [ks.masking.Spatial(), ks.masking.Texture("low")]
    masking = ks.masking.MaskGenerator(modalities, ks.masking.LearnedDraw(), 0.5, block_size=4)
    return ks.SimMIM(backbone, masking)


def visible():
    """The visible positions alone."""
    backbone = ks.backbones.ViT((16, 16, 3), 4, 1, 2, 16)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 2), encode="visible")


def losses(make, policy, weights=None):
    """Of three steps on the same images, and the weights before them."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        model = make()
    finally:
        keras.config.set_dtype_policy(before)
    # What is drawn differs by dtype.
    if weights is not None:
        model.set_weights(weights)
    weights = model.get_weights()
    optimizer = ks.training.SelectiveAdamW(1e-3, global_clipnorm=1.0)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=4.0)
    # JAX would compile every operation by itself, which takes longer.
    model.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype="uint8")
    labels = np.arange(8) % 3
    found = [model.train_on_batch(images, labels, return_dict=True) for _ in range(3)]
    assert int(ops.convert_to_numpy(model.skipped_steps)) == 0
    assert model.embed(images).dtype == "float32"
    return [float(ops.convert_to_numpy(logs["loss"])) for logs in found], weights


@pytest.fixture
def float64_on_jax(request):
    """What JAX_ENABLE_X64=1 sets, for a test of float64."""
    if keras.backend.backend() != "jax" or request.getfixturevalue("policy") != "float64":
        yield
        return
    import jax

    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def expected():
    return {make: losses(make, "float32") for make in (labelled, learned, visible)}


@pytest.mark.parametrize("make", [labelled, learned, visible])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.usefixtures("expected", "float64_on_jax")
def test_a_policy_trains_as_float32_does(expected, make, policy):
    wanted, weights = expected[make]
    found, _ = losses(make, policy, weights)
    assert found[0] == pytest.approx(wanted[0], rel=5e-2)
    assert found == pytest.approx(wanted, rel=0.15)
