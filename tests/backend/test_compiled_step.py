"""On torch, `jit_compile=True` compiles the step in few pieces, the network in one."""

import keras
import numpy as np
import pytest

import keras_simmim as ks
from keras_simmim.backend import step

pytestmark = [pytest.mark.only_on("torch"), pytest.mark.long, pytest.mark.turned(2)]


def losses(images, jit_compile):
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.ViT((16, 24, 3), 8, num_layers=2, num_heads=2, hidden_dim=16)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
    model.compile(ks.training.SelectiveAdamW(1e-2, global_clipnorm=1.0), jit_compile=jit_compile)
    return [model.train_on_batch(images, return_dict=True)["loss"] for _ in range(3)]


# torch's tracer looks at gradients that are not kept, and says so.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_compiled_step_is_few_graphs_and_gives_the_same_losses(images, monkeypatch):
    import torch

    attentions = []

    def counted(graph, inputs):
        targets = [str(node.target) for node in graph.graph.nodes]
        attentions.append(sum("scaled_dot_product_attention" in each for each in targets))
        return graph.forward

    compile_with = torch.compile
    # What is traced does not depend on what makes kernels of it.
    monkeypatch.setattr(torch, "compile", lambda function: compile_with(function, backend=counted))
    # An accelerator's step asks for nothing in between.
    monkeypatch.setattr(step, "runs_ahead", lambda tensor: True)
    torch.compiler.reset()
    compiled = losses(images, jit_compile=True)
    np.testing.assert_allclose(compiled, losses(images, jit_compile=False), rtol=1e-5)
    # The two blocks, in one of them; behind it the gradients, and what changes with the count.
    assert [count for count in attentions if count] == [2]
    assert len(attentions) <= 6
