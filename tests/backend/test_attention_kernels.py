"""Which kernel attends: flash attention wherever a device has it, and never a wrong number."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_simmim.backend import kernels
from keras_simmim.layers.attention import attention
from keras_simmim.layers.transformer_block import TransformerBlock

BACKEND = keras.backend.backend()


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def attended(query, key, value, bias=0.0):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1]) + bias
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ value


def asked(monkeypatch):
    """A list of what attention is called with, and the library that it is called in."""
    calls = []
    if BACKEND == "torch":
        import torch

        module, name = torch.nn.functional, "scaled_dot_product_attention"
    else:
        import jax

        module, name = jax.nn, "dot_product_attention"
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    real = getattr(module, name)

    def spy(query, key, value, **options):
        calls.append((str(query.dtype), dict(options)))
        if options.get("implementation") == "cudnn":
            options["implementation"] = "xla"
        return real(query, key, value, **options)

    monkeypatch.setattr(module, name, spy)
    return calls


@pytest.mark.only_on("torch", "jax")
@pytest.mark.parametrize("biased", [False, True])
def test_the_kernel_is_attention(biased, monkeypatch):
    asked(monkeypatch)
    query, key, value = drawn(3, 2, 4, 7, 8)
    bias = drawn(1, 4, 7, 7) if biased else None
    given = None if bias is None else ops.convert_to_tensor(bias)
    result = attention(*map(ops.convert_to_tensor, (query, key, value)), given)
    expected = attended(query, key, value, 0.0 if bias is None else bias)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, atol=1e-5)


@pytest.mark.only_on("torch", "jax")
def test_a_block_in_half_precision_asks_for_attention_in_it_without_a_mask(monkeypatch):
    if BACKEND == "jax":
        monkeypatch.setattr(kernels, "has_flash_attention", lambda *of: True)
    calls = asked(monkeypatch)
    block = TransformerBlock(num_heads=2, mlp_dim=16, dtype="mixed_bfloat16")
    block(ops.ones((2, 6, 16), dtype="bfloat16"))
    ((dtype, options),) = calls
    assert "bfloat16" in dtype
    assert options.get("attn_mask") is None
    assert options.get("bias") is None
    assert options.get("implementation") in (None, "cudnn")


@pytest.mark.only_on("jax")
def test_on_jax_a_bias_is_not_for_flash_attention(monkeypatch):
    monkeypatch.setattr(kernels, "has_flash_attention", lambda *of: True)
    calls = asked(monkeypatch)
    query, key, value = map(ops.convert_to_tensor, drawn(3, 2, 4, 7, 8))
    kernels.attention(query, key, value, ops.ones((1, 4, 7, 7)))
    assert calls[0][1]["implementation"] == "xla"


@pytest.mark.only_on("jax")
def test_flash_attention_is_tried_before_it_is_taken(monkeypatch):
    import jax

    kernels.has_flash_attention.cache_clear()
    # This machine has no cuDNN; one that has it compiles what stands for it here.
    assert not kernels.has_flash_attention((7, 2, 8), "bfloat16")
    real = jax.nn.dot_product_attention
    monkeypatch.setattr(jax.nn, "dot_product_attention", lambda *of, implementation: real(*of))
    assert kernels.has_flash_attention((6, 2, 8), "bfloat16")

    # Within a step that is being traced, too.
    def traced(tokens):
        assert kernels.has_flash_attention((5, 2, 8), "bfloat16")
        return tokens

    jax.jit(traced)(jax.numpy.ones(3))
    kernels.has_flash_attention.cache_clear()
