"""AdamW with decay by name and a learning rate for each layer, against NumPy."""

import dataclasses
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from official_rates import numbers, official_cosine

import keras_simmim as ks
from keras_simmim.training import SelectiveAdamW, fine_tuning_recipe, pretraining_recipe


def small_model(kind):
    """A SimMIM with all kinds of weights, none of them zero."""
    if kind == "vit":
        backbone = ks.backbones.ViT(
            (8, 8, 3),
            patch_size=2,
            num_layers=2,
            num_heads=2,
            hidden_dim=8,
            relative_position_bias="shared",
            class_token=True,
            query_key_value_bias="query_value",
            layer_scale=0.1,
        )
    else:
        backbone = ks.backbones.Swin(
            (16, 16, 3), patch_size=2, hidden_dim=8, depths=(1, 2), num_heads=(2, 2), window_size=4
        )
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 2))
    generator = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    return model


def recipes_for(kind, **arguments):
    """A pretraining and a fine-tuning recipe."""
    if kind == "vit":
        pretraining, fine_tuning = "simmim_vit_base_800ep", "simmim_vit_base_800ep_224"
    else:
        pretraining, fine_tuning = "simmim_swin_base_100ep", "simmim_swin_base_100ep_224"
    return [
        pretraining_recipe(pretraining, **arguments),
        fine_tuning_recipe(fine_tuning, **arguments),
    ]


@pytest.mark.fast_on("torch")
@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_without_gradients_exactly_the_decaying_weights_shrink(kind):
    model = small_model(kind)
    weights = model.trainable_weights
    zeros = [ops.zeros(weight.shape) for weight in weights]
    for recipe in recipes_for(kind, steps_per_epoch=1, batch_size=512):
        # Rates so large that float32 shows what they shrink.
        recipe = dataclasses.replace(recipe, base_rate=0.9, warmup_rate=0.1)
        optimizer = recipe.optimizer()
        optimizer.follow(model)
        optimizer.build(weights)
        still = set()
        for update in range(3):
            before = [numbers(weight) for weight in weights]
            np.testing.assert_allclose(
                float(numbers(optimizer.learning_rate)), float(numbers(recipe.schedule(update)))
            )
            optimizer.apply(zeros, weights)
            step = max(update - 1, 0)
            for weight, old in zip(weights, before, strict=True):
                peak = 0.9 * optimizer.multiplier(weight)
                rate = 0.1 + step * (peak - 0.1) / recipe.warmup_epochs
                factor = 1 - 0.05 * rate if optimizer.decays(weight) else 1
                np.testing.assert_allclose(numbers(weight), old * factor, rtol=1e-6)
                if not optimizer.decays(weight):
                    still.add(weight.path.rsplit("/", 1)[-1])
        names = {weight.path.rsplit("/", 1)[-1] for weight in weights}
        assert still == names & set(recipe.without_decay)
        moving = {"kernel"}
        if kind == "vit":
            moving |= {"mask_token", "relative_position_bias_table"}
        elif isinstance(recipe, ks.training.PretrainingRecipe):
            moving |= {"relative_position_bias_table"}
        assert names - still == moving


def adamw(weights, gradients, moments, update, rates, decays, clip):
    """One update of AdamW in NumPy, with a rate and a decay for each weight."""
    norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
    gradients = [gradient * min(1, clip / norm) for gradient in gradients]
    results = []
    for index, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        first, second = moments[index]
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        moments[index] = first, second
        corrected = first / (1 - 0.9 ** (update + 1))
        spread = np.sqrt(second / (1 - 0.999 ** (update + 1)))
        shrunk = weight * (1 - rates[index] * decays[index])
        results.append(shrunk - rates[index] * corrected / spread)
    return results


@pytest.mark.fast_on("torch")
def test_each_layer_has_its_rate_and_all_are_clipped_together():
    model = small_model("swin")
    weights = model.trainable_weights
    recipe = recipes_for("swin", steps_per_epoch=1, batch_size=512)[1]
    recipe = dataclasses.replace(
        recipe, epochs=8, warmup_epochs=3, base_rate=0.1, warmup_rate=0.01, minimum_rate=0.02
    )
    optimizer = recipe.optimizer(epsilon=1e-30)
    optimizer.follow(model)
    optimizer.build(weights)
    assert len({optimizer.multiplier(weight) for weight in weights}) == 5
    decays = [0.05 * optimizer.decays(weight) for weight in weights]
    per_weight = [
        official_cosine(0.1 * optimizer.multiplier(weight), 0.01, 0.02, 3, 8, 10)
        for weight in weights
    ]
    expected = [numbers(weight).astype("float64") for weight in weights]
    moments = [(0.0, 0.0) for _ in weights]
    generator = np.random.default_rng(0)
    for update in range(10):
        # Some updates are clipped, by much; others are not.
        size = (1e-3, 1.0)[update % 2]
        gradients = [size * generator.normal(size=weight.shape) for weight in weights]
        rates = [rates[update] for rates in per_weight]
        expected = adamw(expected, gradients, moments, update, rates, decays, clip=5)
        optimizer.apply(
            [ops.convert_to_tensor(gradient.astype("float32")) for gradient in gradients], weights
        )
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(numbers(weight), value, rtol=1e-3, atol=2e-4)


def test_any_schedule_and_any_number_can_be_a_rate():
    model = small_model("vit")
    weights = model.trainable_weights
    zeros = [ops.zeros(weight.shape) for weight in weights]
    decay = keras.optimizers.schedules.ExponentialDecay(0.2, 1, 0.5)
    for rate, rates in ((0.2, (0.2, 0.2)), (decay, (0.2, 0.1))):
        optimizer = SelectiveAdamW(rate, 0.1, layer_decay=0.5)
        optimizer.follow(model)
        for expected in rates:
            before = [numbers(weight) for weight in weights]
            optimizer.apply(zeros, weights)
            for weight, old in zip(weights, before, strict=True):
                factor = 1 - 0.1 * expected * optimizer.multiplier(weight)
                np.testing.assert_allclose(numbers(weight), old * factor, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"global_clipnorm": 0.5},
        {"clipnorm": 0.5, "amsgrad": True},
        {"gradient_accumulation_steps": 2, "use_ema": True},
    ],
)
def test_without_a_selection_it_is_the_adamw_of_keras(arguments):
    generator = np.random.default_rng(0)
    steps = [[generator.normal(size=shape) for shape in ((3, 4), (5,))] for _ in range(5)]
    results = []
    for cls in (SelectiveAdamW, keras.optimizers.AdamW):
        weights = [keras.Variable(np.ones(gradient.shape, "float32")) for gradient in steps[0]]
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
        optimizer = cls(rate, weight_decay=0.05, beta_1=0.8, epsilon=1e-3, **arguments)
        for gradients in steps:
            tensors = [ops.convert_to_tensor(gradient, "float32") for gradient in gradients]
            optimizer.apply(tensors, weights)
            # What was given is left as it was.
            for tensor, gradient in zip(tensors, gradients, strict=True):
                np.testing.assert_allclose(ops.convert_to_numpy(tensor), gradient, rtol=1e-6)
        results.append([numbers(variable) for variable in [*weights, *optimizer.variables]])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def fitted(model, images, epochs):
    model.fit(images, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return [numbers(weight) for weight in model.trainable_weights]


@pytest.mark.long
@pytest.mark.parametrize(
    ("precision", "accumulation"),
    [("float32", None), ("mixed_float16", 2)],
    indirect=["precision"],
)
def test_a_saved_run_continues_as_if_it_had_not_stopped(precision, accumulation, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype="uint8")
    recipe = recipes_for("vit", steps_per_epoch=2, batch_size=512)[1]
    whole = small_model("vit")
    whole.compile(recipe.optimizer(gradient_accumulation_steps=accumulation))
    before = fitted(whole, images, 1)
    whole.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    optimizer = getattr(loaded.optimizer, "inner_optimizer", loaded.optimizer)
    assert isinstance(optimizer, SelectiveAdamW)
    assert tuple(optimizer.without_decay) == recipe.without_decay
    assert optimizer.multiplier(loaded.backbone.stem.kernel) == recipe.layer_decay**3
    expected = fitted(whole, images, 1)
    moved = [(new != old).any() for new, old in zip(expected, before, strict=True)]
    assert all(moved)
    for weight, value in zip(fitted(loaded, images, 1), expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-5, atol=1e-7)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="layer_decay must be above 0 and at most 1"):
        SelectiveAdamW(layer_decay=0.0)
    with pytest.raises(ValueError, match=r"layer_decay=0\.5 needs a backbone"):
        SelectiveAdamW(layer_decay=0.5).build([keras.Variable(0.0)])


REPLICAS = """
import dataclasses, keras, numpy, tensorflow as tf
import keras_simmim as ks

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
images = numpy.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype="uint8")
recipe = ks.training.fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 2048)
recipe = dataclasses.replace(recipe, warmup_rate=1e-3)
results = []
for strategy in (
    tf.distribute.OneDeviceStrategy("CPU:0"),
    tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        backbone = ks.backbones.ViT((8, 8, 3), 4, 1, 1, 8)
        model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.5, 1))
        model.compile(recipe.optimizer(global_clipnorm=None))
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(len(images)).repeat(3)
    model.fit(dataset, shuffle=False, verbose=0)
    results.append(model.get_weights())
for first, second in zip(*results, strict=True):
    numpy.testing.assert_allclose(second, first, rtol=1e-4, atol=1e-5)
"""

if keras.backend.backend() == "tensorflow":

    @pytest.mark.long
    def test_two_replicas_train_as_one_does():
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        command = [sys.executable, "-c", REPLICAS]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-3000:]
