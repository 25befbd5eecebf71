"""What a model of ours makes of given pixels and a given mask, on any backend."""

import keras
from keras import ops

from keras_simmim.checkpoints.names import named_weights


def predict(model, pixels, hidden):
    """What our model predicts where `hidden`, (B, h, w, 1), is 1."""
    whole = model.backbone.stem(pixels)
    return model.head(model.backbone.encoder(whole * (1 - hidden) + model.mask_token * hidden))


def measure(model, pixels, mask):
    """Loss, prediction and gradients of our model, the gradients by our names."""
    weights = named_weights(model)
    grid = model.backbone.stem_shape[:2]
    hidden = ops.array(mask.reshape(-1, *grid, 1), "float32")

    def loss_of(pixels):
        prediction = predict(model, pixels, hidden)
        block = model.backbone.patch_size
        wide = ops.repeat(ops.repeat(hidden, block, axis=1), block, axis=2)
        error = ops.sum(ops.abs(pixels - prediction) * wide)
        return error / (ops.sum(wide) + 1e-5) / pixels.shape[-1], prediction

    pixels = ops.array(pixels)
    match keras.backend.backend():
        case "torch":
            loss, prediction = loss_of(pixels)
            loss.backward()
            gradients = [weight.value.grad for weight in weights.values()]
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                loss, prediction = loss_of(pixels)
            gradients = tape.gradient(loss, [weight.value for weight in weights.values()])
        case "jax":
            import jax

            def stateless(values):
                mapping = list(zip(weights.values(), values, strict=True))
                with keras.StatelessScope(state_mapping=mapping):
                    return loss_of(pixels)

            values = [weight.value for weight in weights.values()]
            compiled = jax.jit(jax.value_and_grad(stateless, has_aux=True))
            (loss, prediction), gradients = compiled(values)
    gradients = [ops.convert_to_numpy(gradient) for gradient in gradients]
    return (
        float(ops.convert_to_numpy(loss)),
        ops.convert_to_numpy(prediction),
        dict(zip(weights, gradients, strict=True)),
    )
