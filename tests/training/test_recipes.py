"""The official recipes: constants, the rate of every update, and what decays."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from official_rates import numbers, official_cosine, official_milestone

import keras_simmim as ks
from keras_simmim.training import fine_tuning_recipe, pretraining_recipe

PRETRAINING = {
    # name: epochs, image size, base, warm-up and minimum rate, drop path rate
    "simmim_vit_base_800ep": (800, 224, 1e-4, 5e-7, None, 0.1),
    "simmim_swin_base_100ep": (100, 192, 2e-4, 1e-6, 1e-5, 0.0),
    "simmim_swin_base_800ep": (800, 192, 1e-4, 5e-7, None, 0.0),
    "simmim_swin_large_800ep": (800, 192, 1e-4, 5e-7, None, 0.0),
}
FINE_TUNING = {
    # name: image size, layer decay, drop path rate
    "simmim_vit_base_800ep_224": (224, 0.65, 0.1),
    "simmim_swin_base_100ep_192": (192, 0.9, 0.1),
    "simmim_swin_base_100ep_224": (224, 0.9, 0.1),
    "simmim_swin_base_800ep_224": (224, 0.8, 0.1),
    "simmim_swin_large_800ep_224": (224, 0.7, 0.2),
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
    assert recipe.crop == ks.data.RandomCrop(image_size)
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
    image_size, layer_decay, drop_path_rate = FINE_TUNING[name]
    recipe = fine_tuning_recipe(name, steps_per_epoch=3, batch_size=256)
    assert (recipe.image_size, recipe.drop_path_rate, recipe.epochs) == (
        image_size,
        drop_path_rate,
        100,
    )
    assert f"{recipe.pretraining}_{image_size}" == name
    assert recipe.pretraining in PRETRAINING
    optimizer = recipe.optimizer()
    assert optimizer.layer_decay == layer_decay
    rates = numbers(recipe.schedule(np.arange(300)))
    expected = official_cosine(0.625e-3, 1.25e-7, 1.25e-7, 60, 300, 300)
    np.testing.assert_allclose(rates, expected, rtol=2e-6)
    assert (recipe.label_smoothing, recipe.mixup, recipe.cutmix) == (0.1, 0.8, 1.0)
    assert (recipe.cutmix_share, recipe.color_jitter, recipe.erasing) == (0.5, 0.4, 0.25)
    assert recipe.rand_augment_magnitude == 9
    assert recipe.augmentation["crop_scale"] == (0.08, 1.0)
    # Earlier versions saved a constant that nothing read.
    earlier = {**recipe.get_config(), "rand_augment_deviation": 0.5}
    assert type(recipe).from_config(earlier) == recipe


@pytest.mark.parametrize("given", ["auto", "official", None])
def test_new_fine_tuning_jitters_colors_and_earlier_files_go_on_without(given):
    backbone = ks.backbones.ConvNet((16, 24, 3), filters=(4,))
    recipe = fine_tuning_recipe(next(iter(FINE_TUNING)), 1, 8) if given == "official" else given
    classifier = ks.ImageClassifier(backbone, 3, recipe=recipe)
    assert classifier.augmentation.color_jitter == (0.0 if given is None else 0.4)
    config = classifier.get_config()
    loaded = ks.ImageClassifier.from_config(config)
    assert loaded.augmentation.color_jitter == classifier.augmentation.color_jitter
    del config["color_jitter"]
    earlier = ks.ImageClassifier.from_config(config)
    assert earlier.augmentation.color_jitter == 0.0
    # The others are still the recipe's.
    assert earlier.augmentation.mixup == classifier.augmentation.mixup
    chosen = ks.ImageClassifier(backbone, 3, recipe=recipe, color_jitter=0.1)
    assert chosen.augmentation.color_jitter == 0.1


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


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"name must be one of .*swin_base_100ep.*got 'swin'"):
        pretraining_recipe("swin", 1, 1)
    with pytest.raises(ValueError, match=r"swin_base_100ep_192.*got 'simmim_swin_base_100ep'"):
        fine_tuning_recipe("simmim_swin_base_100ep", 1, 1)
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1, got 0"):
        pretraining_recipe("simmim_swin_base_100ep", 0, 1)
    with pytest.raises(TypeError, match=r"batch_size must be an integer, got 2\.5"):
        fine_tuning_recipe("simmim_vit_base_800ep_224", 1, 2.5)
