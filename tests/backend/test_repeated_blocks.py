"""On JAX, equal blocks become one loop of the compiled step: the same numbers, less memory."""

import keras
import numpy as np
import pytest

from keras_simmim.backbones import ViT
from keras_simmim.backend import kernels

pytestmark = pytest.mark.only_on("jax")
VARIANTS = {
    "plain": {},
    "biases": {"relative_position_bias": "block", "query_key_value_bias": "query_value"},
    "shared": {"relative_position_bias": "shared", "layer_scale": 0.5, "class_token": True},
    "dropped": {"drop_path_rate": 0.5, "seed": 3},
    "bfloat16": {"dtype": "mixed_bfloat16"},
}


def make_encoder(**arguments):
    backbone = ViT((16, 24, 3), 4, num_layers=3, num_heads=2, hidden_dim=16, **arguments)
    generator = np.random.default_rng(0)
    encoder = backbone.encoder
    for weight in encoder.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    return encoder


def traced(encoder):
    """A function that gives features and the gradients of their squares, and its arguments."""
    import jax

    def loss(values, patches):
        mapping = list(zip(encoder.trainable_variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            features = encoder(patches, training=True)
        return jax.numpy.sum(jax.numpy.square(features.astype("float32"))), features

    patches = np.random.default_rng(1).normal(size=(2, 4, 6, 16)).astype("float32")
    values = [variable.value for variable in encoder.trainable_variables]
    return jax.value_and_grad(loss, has_aux=True), (values, patches)


def loops(function, arguments):
    import jax

    return "scan[" in str(jax.make_jaxpr(function)(*arguments))


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(name, marks=[] if name in ("shared", "dropped") else pytest.mark.long)
        for name in VARIANTS
    ],
)
def test_loop_and_blocks_in_turn_agree(variant, monkeypatch):
    import jax

    function, arguments = traced(make_encoder(**VARIANTS[variant]))
    assert loops(function, arguments)
    looped = jax.jit(function)(*arguments)
    monkeypatch.setattr(kernels, "loops_over", lambda *_: False)
    function, arguments = traced(make_encoder(**VARIANTS[variant]))
    assert not loops(function, arguments)
    in_turn = jax.jit(function)(*arguments)
    tolerance = 0.05 if variant == "bfloat16" else 1e-4
    for one, other in zip(*map(jax.tree.leaves, (looped, in_turn)), strict=True):
        one, other = (np.asarray(values, "float32") for values in (one, other))
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


def test_loop_takes_less_memory(monkeypatch):
    import jax

    def temporary_bytes():
        encoder = ViT((64, 64, 3), 4, num_layers=4, num_heads=2, hidden_dim=16).encoder
        function, (values, _) = traced(encoder)
        patches = np.zeros((2, 16, 16, 16), "float32")
        compiled = jax.jit(function).lower(values, patches).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    looped = temporary_bytes()
    monkeypatch.setattr(kernels, "loops_over", lambda *_: False)
    assert looped < 0.7 * temporary_bytes()


def test_different_blocks_do_not_loop():
    encoder = make_encoder()
    encoder.blocks[1].mlp_norm.trainable = False
    assert not loops(*traced(encoder))


def test_only_training_loops():
    import jax

    encoder = make_encoder()
    patches = np.zeros((2, 4, 6, 16), "float32")
    assert "scan[" not in str(jax.make_jaxpr(lambda x: encoder(x, training=False))(patches))
