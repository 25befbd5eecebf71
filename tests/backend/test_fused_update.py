"""On torch, AdamW's one kernel gives what its single operations do."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.backend import optimizer as backend_optimizer

pytestmark = pytest.mark.only_on("torch")
SHAPES = ((3, 3, 2, 4), (5,), (6, 2), ())


def updated(monkeypatch, devices, steps=5, dtype="float32", **options):
    """Weights and moments after a few updates, and how often the fused kernel was called."""
    import torch

    calls = []
    fused = torch._fused_adamw_

    def counted(*arguments, **named):
        calls.append(named["lr"])
        return fused(*arguments, **named)

    monkeypatch.setattr(backend_optimizer, "FUSED_ON", devices)
    monkeypatch.setattr(torch, "_fused_adamw_", counted)
    generator = np.random.default_rng(0)
    weights = [keras.Variable(generator.normal(size=shape), dtype=dtype) for shape in SHAPES]
    optimizer = ks.training.SelectiveAdamW(1e-2, global_clipnorm=1.0, **options)
    optimizer.build(weights)
    for _ in range(steps):
        gradients = [generator.normal(size=shape).astype("float32") for shape in SHAPES]
        optimizer.apply([ops.convert_to_tensor(each, dtype=dtype) for each in gradients], weights)
    monkeypatch.undo()
    variables = [*weights, *optimizer.variables]
    return [np.array(ops.convert_to_numpy(each), "float32") for each in variables], len(calls)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_one_kernel_and_single_operations_agree(amsgrad, monkeypatch):
    fused, calls = updated(monkeypatch, ("cpu",), amsgrad=amsgrad)
    single, none = updated(monkeypatch, (), amsgrad=amsgrad)
    assert (calls, none) == (5, 0)
    for one, other in zip(fused, single, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_what_is_not_float32_is_updated_by_single_operations(monkeypatch):
    _, calls = updated(monkeypatch, ("cpu",), dtype="float64")
    assert calls == 0


def test_gradients_of_another_layout_are_updated_by_single_operations():
    import torch

    weights = [torch.zeros(2, 3)]
    fits = backend_optimizer._fits_one_kernel
    assert fits(weights, [torch.zeros(2, 3)], [])
    assert not fits(weights, [torch.zeros(3, 2).T], [])
    assert not fits([torch.zeros(2, 3, device="meta")], [torch.zeros(2, 3)])
