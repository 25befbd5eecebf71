"""The official recipes: constants, the rate of every update, and what decays at which rate."""

import dataclasses
import math
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.training import (
    SelectiveAdamW,
    WarmupCosine,
    WarmupMilestones,
    fine_tuning_recipe,
    layer_multiplier,
    pretraining_recipe,
)

PRETRAINING = {
    # name: epochs, image size, base, warm-up and minimum rate, drop path rate
    "simmim_vit_base_800ep": (800, 224, 1e-4, 5e-7, None, 0.1),
    "simmim_swin_base_100ep": (100, 192, 2e-4, 1e-6, 1e-5, 0.0),
    "simmim_swin_base_800ep": (800, 192, 1e-4, 5e-7, None, 0.0),
    "simmim_swin_large_800ep": (800, 192, 1e-4, 5e-7, None, 0.0),
}
FINE_TUNING = {
    # name: image size, layer decay, drop path rate, depths
    "simmim_vit_base_800ep_224": (224, 0.65, 0.1, (12,)),
    "simmim_swin_base_100ep_192": (192, 0.9, 0.1, (2, 2, 18, 2)),
    "simmim_swin_base_100ep_224": (224, 0.9, 0.1, (2, 2, 18, 2)),
    "simmim_swin_base_800ep_224": (224, 0.8, 0.1, (2, 2, 18, 2)),
    "simmim_swin_large_800ep_224": (224, 0.7, 0.2, (2, 2, 18, 2)),
}
# Whether a weight decays in ViT's pretraining and fine-tuning, in Swin's pretraining and
# fine-tuning.
DECAYS = {
    "stem/kernel": "1111",
    "stem/bias": "0000",
    "stem/patch_embedding/kernel": "1111",
    "stem/norm/gamma": "0000",
    "encoder/position_embedding": "0000",
    "encoder/class_token": "0000",
    "sim_mim/mask_token": "1100",
    "encoder/relative_position_bias/relative_position_bias_table": "1110",
    "encoder/block_3_relative_position_bias/relative_position_bias_table": "1110",
    "encoder/stage_1_block_0/relative_position_bias/relative_position_bias_table": "1110",
    "encoder/block_3/attention_norm/gamma": "0000",
    "encoder/block_3/mlp_norm/beta": "0000",
    "encoder/block_3/query_key_value/kernel": "1111",
    "encoder/block_3/query_key_value/bias": "0000",
    "encoder/block_3/query_bias": "0000",
    "encoder/block_3/value_bias": "0000",
    "encoder/block_3/attention_output/kernel": "1111",
    "encoder/block_3/mlp_hidden/kernel": "1111",
    "encoder/block_3/mlp_output/bias": "0000",
    "encoder/block_3/attention_scale": "0000",
    "encoder/block_3/mlp_scale": "0000",
    "encoder/merge_0/norm/gamma": "0000",
    "encoder/merge_0/reduction/kernel": "1111",
    "encoder/norm/beta": "0000",
    "reconstruction_head/projection/kernel": "1111",
    "reconstruction_head/projection/bias": "0000",
}


def numbers(tensor):
    return ops.convert_to_numpy(tensor).copy()


def official_rates(rate_of_step, first, updates):
    """The rates that the official loop uses: it sets the next one after each update."""
    rates, rate = [], first
    for update in range(updates):
        rates.append(rate)
        rate = rate_of_step(update)
    return np.array(rates)


def official_cosine(base, warmup, minimum, warmup_steps, steps, updates):
    def rate(step):
        if step < warmup_steps:
            return warmup + step * (base - warmup) / warmup_steps
        if step >= steps:
            return minimum
        return minimum + 0.5 * (base - minimum) * (1 + math.cos(math.pi * step / steps))

    return official_rates(rate, warmup, updates)


def official_milestone(base, warmup, warmup_steps, milestone, updates):
    def rate(step):
        if step < warmup_steps:
            return warmup + step * (base - warmup) / warmup_steps
        return base if step < milestone else 0.1 * base

    return official_rates(rate, warmup, updates)


@pytest.mark.parametrize("name", PRETRAINING)
def test_pretraining_has_the_official_constants_and_rates(name):
    epochs, image_size, base, warmup, minimum, drop_path_rate = PRETRAINING[name]
    recipe = pretraining_recipe(name, steps_per_epoch=3, batch_size=2048)
    assert (recipe.epochs, recipe.image_size, recipe.drop_path_rate) == (
        epochs,
        image_size,
        drop_path_rate,
    )
    assert (recipe.block_size, recipe.ratio) == (32, 0.6)
    assert recipe.augmentation == {
        "crop_scale": (0.67, 1.0),
        "crop_ratio": (3 / 4, 4 / 3),
        "flip": True,
    }
    assert callable(getattr(ks.presets, recipe.preset))
    updates = 3 * epochs + 5
    if minimum is None:
        expected = official_milestone(4 * base, 4 * warmup, 30, 2100, updates)
    else:
        expected = official_cosine(4 * base, 4 * warmup, 4 * minimum, 30, 3 * epochs, updates)
    rates = numbers(recipe.schedule(np.arange(updates)))
    np.testing.assert_allclose(rates, expected, rtol=2e-6)
    assert rates.dtype == "float32"


@pytest.mark.parametrize("name", FINE_TUNING)
def test_fine_tuning_has_the_official_constants_and_rates(name):
    image_size, layer_decay, drop_path_rate, depths = FINE_TUNING[name]
    recipe = fine_tuning_recipe(name, steps_per_epoch=3, batch_size=256)
    assert (recipe.image_size, recipe.drop_path_rate, recipe.epochs) == (
        image_size,
        drop_path_rate,
        100,
    )
    assert f"{recipe.pretraining}_{image_size}" == name
    assert recipe.pretraining in PRETRAINING
    optimizer = recipe.optimizer()
    assert (optimizer.layer_decay, tuple(optimizer.depths)) == (layer_decay, depths)
    rates = numbers(recipe.schedule(np.arange(300)))
    expected = official_cosine(0.625e-3, 1.25e-7, 1.25e-7, 60, 300, 300)
    np.testing.assert_allclose(rates, expected, rtol=2e-6)
    assert (recipe.label_smoothing, recipe.mixup, recipe.cutmix) == (0.1, 0.8, 1.0)
    assert (recipe.cutmix_share, recipe.color_jitter, recipe.erasing) == (0.5, 0.4, 0.25)
    assert (recipe.rand_augment_magnitude, recipe.rand_augment_deviation) == (9, 0.5)
    assert recipe.augmentation["crop_scale"] == (0.08, 1.0)


def test_an_optimizer_is_new_and_has_the_official_constants():
    recipe = pretraining_recipe("simmim_swin_base_100ep", 3, 512)
    first, second = recipe.optimizer(), recipe.optimizer(gradient_accumulation_steps=4)
    assert first is not second
    assert isinstance(first, keras.optimizers.AdamW)
    assert (first.beta_1, first.beta_2, first.epsilon) == (0.9, 0.999, 1e-8)
    assert (first.weight_decay, first.global_clipnorm) == (0.05, 5.0)
    assert (first.layer_decay, second.gradient_accumulation_steps) == (1.0, 4)
    # As fast as Keras' own, which on torch is another class.
    assert isinstance(first, type(keras.optimizers.AdamW()))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 1


@pytest.mark.parametrize(
    "schedule",
    [
        WarmupCosine(1e-3, 1e-5, 4, 1e-4, 20),
        WarmupCosine(1e-3, 1e-5, 0, 0.0, 20),
        WarmupMilestones(1e-3, 1e-5, 4, (7, 12), 0.5),
    ],
)
def test_a_schedule_comes_back_from_its_configuration(schedule):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(copy) is type(schedule)
    assert copy.get_config() == schedule.get_config()
    steps = np.arange(30)
    np.testing.assert_array_equal(numbers(copy(steps)), numbers(schedule(steps)))
    assert float(numbers(copy(13))) == numbers(copy(steps))[13]


def test_several_milestones_and_no_warm_up():
    rates = numbers(WarmupMilestones(1.0, 0.5, 0, (3, 5), 0.5)(np.arange(8)))
    # Update 0 and 1 use the rate of step 0, update 4 that of step 3.
    np.testing.assert_array_equal(rates, [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25])


def test_the_layers_of_vit_base():
    def multiplier(path):
        return layer_multiplier(f"vi_t/{path}", 0.65, (12,))

    for path in ("stem/kernel", "stem/bias", "encoder/class_token", "encoder/position_embedding"):
        assert multiplier(path) == 0.65**13
    assert layer_multiplier("sim_mim/mask_token", 0.65, (12,)) == 0.65**13
    for block in range(12):
        for name in ("mlp_hidden/kernel", "attention_scale", "query_bias"):
            assert multiplier(f"encoder/block_{block}/{name}") == 0.65 ** (12 - block)
        table = f"encoder/block_{block}_relative_position_bias/relative_position_bias_table"
        assert multiplier(table) == 0.65 ** (12 - block)
    shared = "encoder/relative_position_bias/relative_position_bias_table"
    for path in (shared, "encoder/norm/gamma", "head/norm/gamma", "head/kernel"):
        assert multiplier(path) == 1
    assert multiplier("encoder/block_0/mlp_norm/gamma") == pytest.approx(0.005688009, rel=1e-6)


def test_the_layers_of_swin_base():
    def multiplier(path):
        return layer_multiplier(f"swin/{path}", 0.9, (2, 2, 18, 2))

    for path in ("stem/patch_embedding/kernel", "stem/norm/beta"):
        assert multiplier(path) == 0.9**25
    # Blocks below: the first layer is the stem, so block 0 of stage 0 is layer 1 of 0 to 25.
    for stage, below in enumerate((0, 2, 4, 22)):
        for block in range((2, 2, 18, 2)[stage]):
            table = "relative_position_bias/relative_position_bias_table"
            for name in ("attention_norm/gamma", table, "query_key_value/kernel"):
                path = f"encoder/stage_{stage}_block_{block}/{name}"
                assert multiplier(path) == 0.9 ** (25 - (below + block + 1))
    for stage, layer in enumerate((2, 4, 22)):
        for name in ("norm/gamma", "reduction/kernel"):
            assert multiplier(f"encoder/merge_{stage}/{name}") == 0.9 ** (25 - layer)
    assert multiplier("encoder/norm/gamma") == 1


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"name must be one of .*swin_base_100ep.*got 'swin'"):
        pretraining_recipe("swin", 1, 1)
    with pytest.raises(ValueError, match=r"swin_base_100ep_192.*got 'simmim_swin_base_100ep'"):
        fine_tuning_recipe("simmim_swin_base_100ep", 1, 1)
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1, got 0"):
        pretraining_recipe("simmim_swin_base_100ep", 0, 1)
    with pytest.raises(TypeError, match=r"batch_size must be an integer, got 2\.5"):
        fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 2.5)
    with pytest.raises(ValueError, match="base_rate must be at least 0"):
        WarmupCosine(-1, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="minimum_rate must be at least 0"):
        WarmupCosine(1, 0, 0, -1, 1)
    with pytest.raises(ValueError, match="total_steps must be at least 1 and warmup_steps=5"):
        WarmupCosine(1, 0, 5, 0, 4)
    with pytest.raises(ValueError, match="milestones must be at least warmup_steps=5"):
        WarmupMilestones(1, 0, 5, (9, 4))
    with pytest.raises(ValueError, match="factor must be at least 0"):
        WarmupMilestones(1, 0, 0, (), -0.1)
    with pytest.raises(ValueError, match="layer_decay must be above 0 and at most 1"):
        SelectiveAdamW(layer_decay=0.0, depths=(1,))
    with pytest.raises(ValueError, match="needs depths"):
        SelectiveAdamW(layer_decay=0.5)
    for path, depths in (
        ("encoder/block_2/query_bias", (2,)),
        ("encoder/block_0/query_bias", (2, 2)),
        ("encoder/stage_1_block_0/query_bias", (2,)),
        ("encoder/stage_0_block_2/query_bias", (2, 4)),
    ):
        with pytest.raises(ValueError, match=re.escape(f"depths={depths} has no block")):
            layer_multiplier(path, 0.5, depths)


@pytest.mark.parametrize("path", DECAYS)
def test_a_weight_decays_where_it_officially_does(path):
    recipes = (
        pretraining_recipe("simmim_vit_base_800ep", 1, 1),
        fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 1),
        pretraining_recipe("simmim_swin_base_100ep", 1, 1),
        fine_tuning_recipe("simmim_swin_base_100ep_224", 1, 1),
    )
    weight = SimpleNamespace(path=f"model/{path}")
    decays = [recipe.optimizer().decays(weight) for recipe in recipes]
    assert decays == [letter == "1" for letter in DECAYS[path]]


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
    """A pretraining and a fine-tuning recipe whose depths are those of the small model."""
    if kind == "vit":
        pretraining, fine_tuning = "simmim_vit_base_800ep", "simmim_vit_base_800ep_224"
    else:
        pretraining, fine_tuning = "simmim_swin_base_100ep", "simmim_swin_base_100ep_224"
    depths = (2,) if kind == "vit" else (1, 2)
    fine_tuning = fine_tuning_recipe(fine_tuning, **arguments)
    return [
        pretraining_recipe(pretraining, **arguments),
        dataclasses.replace(fine_tuning, depths=depths),
    ]


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_without_gradients_exactly_the_decaying_weights_shrink(kind):
    model = small_model(kind)
    weights = model.trainable_weights
    zeros = [ops.zeros(weight.shape) for weight in weights]
    for recipe in recipes_for(kind, steps_per_epoch=1, batch_size=512):
        # Rates so large that float32 shows what they shrink.
        recipe = dataclasses.replace(recipe, base_rate=0.9, warmup_rate=0.1)
        optimizer = recipe.optimizer()
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


def test_each_layer_has_its_rate_and_all_are_clipped_together():
    model = small_model("swin")
    weights = model.trainable_weights
    recipe = recipes_for("swin", steps_per_epoch=1, batch_size=512)[1]
    recipe = dataclasses.replace(
        recipe, epochs=8, warmup_epochs=3, base_rate=0.1, warmup_rate=0.01, minimum_rate=0.02
    )
    optimizer = recipe.optimizer(epsilon=1e-30)
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
    weights = small_model("vit").trainable_weights
    zeros = [ops.zeros(weight.shape) for weight in weights]
    decay = keras.optimizers.schedules.ExponentialDecay(0.2, 1, 0.5)
    for rate, rates in ((0.2, (0.2, 0.2)), (decay, (0.2, 0.1))):
        optimizer = SelectiveAdamW(rate, 0.1, layer_decay=0.5, depths=(2,))
        for expected in rates:
            before = [numbers(weight) for weight in weights]
            optimizer.apply(zeros, weights)
            for weight, old in zip(weights, before, strict=True):
                factor = 1 - 0.1 * expected * optimizer.multiplier(weight)
                np.testing.assert_allclose(numbers(weight), old * factor, rtol=1e-6)


def fitted(model, images, epochs):
    model.fit(images, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return [numbers(weight) for weight in model.trainable_weights]


@pytest.mark.parametrize(
    ("precision", "accumulation"),
    [("float32", None), ("mixed_float16", 2)],
    indirect=["precision"],
)
def test_a_saved_run_continues_as_if_it_had_not_stopped(precision, accumulation, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype="uint8")
    recipe = recipes_for("vit", steps_per_epoch=2, batch_size=512)[1]
    whole, part = small_model("vit"), small_model("vit")
    for model in (whole, part):
        model.compile(recipe.optimizer(gradient_accumulation_steps=accumulation))
    fitted(part, images, 1)
    part.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    optimizer = getattr(loaded.optimizer, "inner_optimizer", loaded.optimizer)
    assert isinstance(optimizer, SelectiveAdamW)
    assert tuple(optimizer.without_decay) == recipe.without_decay
    assert tuple(optimizer.depths) == (2,)
    before = fitted(whole, images, 1)
    expected = fitted(whole, images, 1)
    moved = [(new != old).any() for new, old in zip(expected, before, strict=True)]
    assert all(moved)
    for weight, value in zip(fitted(loaded, images, 1), expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-5, atol=1e-7)


REPLICAS = """
import dataclasses, keras, numpy, tensorflow as tf
import keras_simmim as ks

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
four = numpy.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype="uint8")
recipe = ks.training.fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 2048)
recipe = dataclasses.replace(recipe, depths=(1,), warmup_rate=1e-3)
results = []
for strategy, images in (
    (tf.distribute.OneDeviceStrategy("CPU:0"), four),
    # Each replica draws the masks of a batch of four, so both see the same four images.
    (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), numpy.concatenate([four, four])),
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

    def test_two_replicas_train_as_one_does():
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        command = [sys.executable, "-c", REPLICAS]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-3000:]
