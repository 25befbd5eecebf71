"""What a step must not do on a GPU or TPU: call Python, wait for the host, change a shape."""

import keras
import numpy as np
import pytest

import keras_simmim as ks

IMAGES = np.zeros((4, 16, 24, 3), "uint8")


def multimodal_model():
    maskings = [ks.masking.SpatialMasking(), ks.masking.ColorMasking(), ks.masking.TextureMasking()]
    generator = ks.masking.IterativeMasking(maskings, iterations=2, block_size=4)
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    return ks.SimMIM(backbone, generator, mask_on="pixels", embedding_metrics=True)


def visible_model():
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    return ks.SimMIM(backbone, ks.masking.SpatialMasking(0.75, 1), encode="visible")


def learned_model():
    backbone = ks.backbones.Swin((16, 24, 3), 2, 8, (1, 1), (1, 2), window_size=2)
    return ks.SimMIM(backbone, ks.masking.LearnedMasking(0.5, 2))


@pytest.mark.parametrize(
    "make_model",
    [
        multimodal_model,
        pytest.param(visible_model, marks=pytest.mark.long),
        pytest.param(learned_model, marks=pytest.mark.long),
    ],
)
def test_step_has_no_host_transfer_and_static_shapes(make_model):
    model = make_model()
    model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), jit_compile=False)
    match keras.backend.backend():
        case "tensorflow":
            operations = tensorflow_operations(model)
        case "jax":
            operations = jax_operations(model)
        case "torch":
            operations = torch_operations(model)
    assert len(operations) > 100
    assert not [name for name in operations if "callback" in name or "PyFunc" in name]
    # Torch decides on the host, once, whether to apply the gradients: to take a step back in every
    # weight costs more than this look, which Keras' trainer takes for the logs anyway.
    looks = [name for name in operations if name.startswith("aten._local_scalar_dense")]
    assert len(looks) == (keras.backend.backend() == "torch")
    assert not [name for name in operations if "nonzero" in name.lower() or name == "Where"]


def tensorflow_operations(model):
    import tensorflow as tf

    step = tf.function(model.train_step).get_concrete_function(tf.constant(IMAGES))
    functions = step.graph.as_graph_def().library.function
    for operation in step.graph.get_operations():
        for output in operation.outputs:
            # XLA computes the integers that describe shapes while it compiles.
            static = output.shape.is_fully_defined() or not output.dtype.is_floating
            assert static, f"{output} has no static shape"
    inner = [node.op for function in functions for node in function.node_def]
    return [operation.type for operation in step.graph.get_operations()] + inner


def jax_operations(model):
    import jax

    state = (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        [variable.value for variable in model.optimizer.variables],
        [variable.value for variable in model.metrics_variables],
    )
    program = jax.make_jaxpr(model.train_step)(state, IMAGES)

    def names(jaxpr):
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for value in equation.params.values():
                for part in value if isinstance(value, tuple | list) else (value,):
                    inner = getattr(part, "jaxpr", part)
                    if hasattr(inner, "eqns"):
                        yield from names(inner)

    return list(names(program.jaxpr))


def torch_operations(model):
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Record(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.names = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    data = torch.from_numpy(IMAGES)
    model.train_step(data)
    with Record() as record:
        model.train_step(data)
    return record.names
