"""What a model of ours makes of given pixels and a given mask, on any backend."""

import keras
import numpy as np
from keras import ops

import keras_simmim as ks
from keras_simmim.pretrained.names import named_weights


class GivenMasking(ks.masking.SpatialMasking):
    """Hides the positions that it is given, in place of a draw."""

    def __init__(self, mask):
        super().__init__(0.5, block_size=1)
        self.mask = mask

    def draw(self, tensor, step):
        return ops.array(self.mask.reshape(len(self.mask), 1, *self.grid, 1), "float32")


def example_mask(images, positions, seed=0):
    """Which positions are hidden, bool (images, positions): as many of each, 0.6 of all."""
    ranks = np.random.default_rng(seed).random((images, positions)).argsort().argsort()
    return ranks < round(0.6 * positions)


def with_mask(model, mask):
    """The same backbone and head around a given mask, for pixels that are normalised already."""
    given = ks.SimMIM(model.backbone, GivenMasking(mask), head=model.head, mean=0.0, std=1.0)
    given.mask_token.assign(model.mask_token)
    return given


def predict(model, pixels, mask):
    """The pixels that our model predicts, on its own path."""
    model = with_mask(model, mask)

    def prediction_of(pixels):
        return model.masked_pass(pixels, 0, training=False).prediction[:, 0]

    if keras.backend.backend() == "jax":
        # In one piece: JAX would compile every operation alone.
        import jax

        prediction_of = jax.jit(prediction_of)
    return ops.convert_to_numpy(prediction_of(ops.array(pixels)))


def measure(model, pixels, mask):
    """Our model's own loss, its prediction, and the loss' gradients by our names."""
    prediction = predict(model, pixels, mask)
    model = with_mask(model, mask)
    weights = named_weights(model)
    pixels = ops.array(pixels)

    def loss_of():
        return model.compute_losses(pixels, training=False).losses["loss"][0]

    match keras.backend.backend():
        case "torch":
            loss = loss_of()
            loss.backward()
            gradients = [weight.value.grad for weight in weights.values()]
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss = loss_of()
            gradients = tape.gradient(loss, [weight.value for weight in weights.values()])
        case "jax":
            import jax

            def stateless(values):
                mapping = list(zip(weights.values(), values, strict=True))
                with keras.StatelessScope(state_mapping=mapping):
                    return loss_of()

            values = [weight.value for weight in weights.values()]
            loss, gradients = jax.jit(jax.value_and_grad(stateless))(values)
    gradients = [ops.convert_to_numpy(gradient) for gradient in gradients]
    loss = float(ops.convert_to_numpy(loss))
    return loss, prediction, dict(zip(weights, gradients, strict=True))
