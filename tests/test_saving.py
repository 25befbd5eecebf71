"""What is saved comes back: configurations, weights, optimizer, and the next step."""

import inspect
import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.backbones.patch_merging import PatchMerging
from keras_simmim.backbones.sequence_encoder import SequenceEncoder
from keras_simmim.backbones.swin_block import SwinBlock
from keras_simmim.backbones.swin_encoder import SwinEncoder
from keras_simmim.backbones.token_stem import TokenStem
from keras_simmim.backbones.transformer_encoder import TransformerEncoder
from keras_simmim.layers.convolution_block import ConvolutionBlock
from keras_simmim.layers.fitting_tokens import FittingTokens
from keras_simmim.layers.stochastic_depth import StochasticDepth
from keras_simmim.layers.transformer_block import TransformerBlock

VIT_OPTIONS = {
    "epsilon": 0.5,
    "position_embedding": False,
    "relative_position_bias": "block",
    "class_token": True,
    "query_key_value_bias": "query_value",
    "layer_scale": 0.3,
    "drop_path_rate": 0.2,
    "final_norm": False,
    "fused_blocks": (1,),
    "official_initialization": True,
    "seed": 11,
}
SWIN_OPTIONS = {
    "depths": (1, 2),
    "num_heads": (3, 2),
    "window_size": 3,
    "mlp_ratio": 1.5,
    "epsilon": 0.5,
    "position_embedding": True,
    "query_key_value_bias": "query_value",
    "drop_path_rate": 0.2,
    "seed": 11,
}
SEQUENCE_OPTIONS = {
    "hidden_dim": 6,
    "length": 5,
    "count_from": "end",
    "drop_path_rate": 0.2,
    "final_norm": False,
    "epsilon": 0.5,
    "seed": 11,
}

# Every public layer and model, with no argument at its default.
CONSTRUCTIONS = {
    TransformerBlock: {
        "num_heads": 3,
        "mlp_dim": 7,
        "epsilon": 0.5,
        "query_key_value_bias": "query_value",
        "layer_scale": 0.3,
        "depth": 2,
    },
    TransformerEncoder: {"num_layers": 2, "num_heads": 3, "mlp_dim": 7, **VIT_OPTIONS},
    StochasticDepth: {"rate": 0.2, "num_blocks": 3, "seed": 11},
    PatchMerging: {"epsilon": 0.5},
    SwinBlock: {
        "num_heads": 3,
        "mlp_dim": 7,
        "window_size": 3,
        "shifted": True,
        "epsilon": 0.5,
        "query_key_value_bias": "none",
    },
    SwinEncoder: SWIN_OPTIONS,
    ks.backbones.Swin: {
        "image_shape": (6, 8, 2),
        "patch_size": 2,
        "hidden_dim": 6,
        **SWIN_OPTIONS,
    },
    ks.backbones.ConvNet: {
        "image_shape": (6, 8, 2),
        "filters": (4, 5),
        "kernel_size": 2,
        "strides": 2,
    },
    ks.backbones.ViT: {
        "image_shape": (6, 8, 2),
        "patch_size": 2,
        "num_layers": 2,
        "num_heads": 3,
        "hidden_dim": 6,
        "mlp_dim": 7,
        "stem": "conv",
        **VIT_OPTIONS,
    },
    TokenStem: {"sizes": (7, 5), "hidden_dim": 6},
    SequenceEncoder: {"num_layers": 2, "num_heads": 3, "mlp_dim": 7, **SEQUENCE_OPTIONS},
    ks.backbones.SequenceTransformer: {
        "vocabulary_size": 9,
        "num_layers": 2,
        "num_heads": 3,
        "mlp_dim": 7,
        "side_features": {"category": 5},
        **SEQUENCE_OPTIONS,
    },
    FittingTokens: {"example_shape": (5, 2)},
    ks.masking.SpatialMasking: {
        "ratio": 0.3,
        "block_size": (2, 3),
        "seed": 11,
        "views": 3,
        "kept": 0.1,
        "swapped": 0.2,
    },
    ks.masking.ColorMasking: {
        "component": "luma",
        "ratio": 0.3,
        "block_size": (2, 3),
        "seed": 11,
    },
    ks.masking.TextureMasking: {
        "band": "high",
        "cutoff": 0.4,
        "ratio": 0.3,
        "block_size": (2, 3),
        "seed": 11,
    },
    ks.masking.LearnedMasking: {
        "ratio": 0.3,
        "block_size": (2, 3),
        "adversarial": True,
        "sharpness": 3.0,
        "ramp_steps": 7,
        "seed": 11,
    },
    ks.masking.SoftMasking: {"block_size": (2, 3)},
    ks.objectives.RunningScale: {"momentum": 0.5, "floor": 0.1},
    ks.aggregation.ConcatAggregation: {},
    ks.aggregation.AttentionAggregation: {},
    ks.aggregation.SpatialMean: {},
    ks.aggregation.MeanAggregation: {},
    ks.aggregation.ChannelMean: {},
    ks.heads.ReconstructionHead: {"image_shape": (6, 8, 2)},
    ks.heads.TransformerHead: {
        "hidden_dim": 6,
        "num_layers": 1,
        "num_heads": 3,
        "mlp_dim": 7,
        "image_shape": (6, 8, 2),
    },
    ks.heads.TokenHead: {},
    ks.heads.Projector: {"dim": 5, "hidden_dim": 7},
    ks.heads.ClassificationHead: {
        "num_classes": 5,
        "pooling": "flatten",
        "hidden_dim": 7,
        "norm": True,
    },
    ks.heads.YOLOHead: {"num_classes": 5, "width": 7},
    ks.heads.SSDHead: {"num_classes": 5, "anchors": 2, "width": 7},
    ConvolutionBlock: {"filters": 6, "count": 3},
    ks.heads.RPNHead: {"num_anchors": 2, "width": 7},
    ks.heads.Proposals: {
        "image_size": (6, 8),
        "count": 7,
        "candidates": 9,
        "threshold": 0.3,
    },
    ks.heads.BoxHead: {"num_classes": 5, "strides": [2, 4], "width": 7, "region_size": 3},
    ks.training.JointCrops: {
        "scale": (0.3, 2.0),
        "ratio": (0.5, 3.0),
        "flip": False,
        "color_jitter": 0.2,
        "mosaic": 0.3,
        "mixup": 0.4,
        "min_visible": 0.5,
        "seed": 11,
    },
    ks.heads.FCNDecoder: {"num_classes": 3, "width": 5},
    ks.heads.UNetDecoder: {"num_classes": 3, "width": 5, "most_width": 7},
    ks.necks.NormedMaps: {"epsilon": 0.5},
    ks.necks.SimplePyramid: {"width": 5, "finest": 2, "levels": 3},
    ks.necks.FeaturePyramid: {"width": 5, "extra": 2},
}
# Contracts to inherit from: nothing to construct.
CONTRACTS = {ks.backbones.Backbone, ks.heads.Head, ks.heads.Decoder}
# Hold other things; tested by themselves below, in tests/masking/test_mask_generator.py and in
# tests/backbones/test_keras_backbone.py.
COMPOSITE = {ks.masking.MaskGenerator, ks.masking.IterativeMasking, ks.backbones.KerasBackbone}
# What masks are made of, which are no layers.
PARTS = {
    ks.masking.Spatial: {},
    ks.masking.Color: {"component": "luma"},
    ks.masking.Texture: {"band": "high", "cutoff": 0.4},
    ks.masking.RandomDraw: {"seed": 11},
    ks.masking.LearnedDraw: {"seed": 11, "adversarial": True, "sharpness": 3.0, "ramp_steps": 7},
    ks.masking.SoftDraw: {},
    ks.masking.LastDraw: {"share": 0.4, "seed": 11},
    ks.masking.Field: {"index": 1, "count": 3, "title": "category"},
    ks.masking.Rounds: {
        "ratio": 0.9,
        "iterations": 2,
        "schedule": "disjoint",
        "shares": (2.0, 1.0),
    },
    ks.masking.IndependentViews: {
        "ratio": (0.3, 0.6, 0.6),
        "count": 3,
        "apart": False,
        "shares": (2.0, 1.0),
    },
    ks.objectives.Reconstruction: {"target": "low_pass_pixels", "weight": 0.5, "name": "blurred"},
    ks.objectives.HiddenTokens: {"sampled": 7, "weight": 0.5, "name": "words"},
    ks.objectives.Uniformity: {"weight": 0.5, "name": "apart"},
    ks.objectives.Agreement: {
        "loss": "infonce",
        "between": "crops",
        "weight": 0.5,
        "temperature": 0.3,
        "balance": 0.4,
        "dim": 7,
        "hidden_dim": 9,
        "seed": 11,
        "name": "together",
    },
    ks.objectives.Jigsaw: {"share": 0.5, "weight": 0.25, "seed": 11, "name": "puzzle"},
}


def named_arguments(constructor):
    return {
        parameter.name
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }


def test_every_public_layer_is_constructed_here():
    public = {
        member
        for package in (ks.backbones, ks.masking, ks.aggregation, ks.heads, ks.necks, ks.objectives)
        for member in (getattr(package, name) for name in package.__all__)
        if isinstance(member, type) and issubclass(member, keras.layers.Layer)
    }
    assert public - CONTRACTS - COMPOSITE <= set(CONSTRUCTIONS)


@pytest.mark.parametrize("layer_class", CONSTRUCTIONS, ids=lambda cls: cls.__name__)
def test_every_constructor_argument_is_in_the_configuration(layer_class):
    arguments = CONSTRUCTIONS[layer_class]
    assert set(arguments) == named_arguments(layer_class)
    layer = layer_class(**arguments, name="special", dtype="mixed_bfloat16")
    for copy in (
        layer_class.from_config(layer.get_config()),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)),
    ):
        config = copy.get_config()
        assert {name: config[name] for name in arguments} == arguments
        assert config["name"] == "special"
        assert copy.dtype_policy.name == "mixed_bfloat16"
        for sublayer in copy._flatten_layers(include_self=False):
            # Keras' Sequential and its input take no policy and compute in that of its layers.
            # A scorer of blocks compares small differences, in float32 always.
            if not isinstance(sublayer, keras.Sequential | keras.layers.InputLayer) and (
                sublayer.name != "scorer" or "Masking" not in layer_class.__name__
            ):
                assert sublayer.compute_dtype == "bfloat16", sublayer.name


def test_every_part_that_is_no_layer_is_constructed_here():
    rooms = (ks.masking, ks.objectives)
    public = {getattr(room, name) for room in rooms for name in room.__all__}
    contracts = {ks.masking.Modality, ks.masking.Draw, ks.objectives.Objective}
    # What a model and its objectives hand each other, and objectives that come with its parts.
    others = {getattr(ks.objectives, name) for name in ("MaskedPass", "Measure", "Parts")}
    others |= {ks.objectives.Classification, ks.objectives.Ranking}
    assert {part for part in public if not issubclass(part, keras.layers.Layer)} == (
        contracts | others | set(PARTS)
    )


@pytest.mark.parametrize("part_class", PARTS, ids=lambda cls: cls.__name__)
def test_every_argument_of_a_part_is_in_its_configuration(part_class):
    arguments = PARTS[part_class]
    assert set(arguments) == named_arguments(part_class)
    config = keras.saving.serialize_keras_object(part_class(**arguments))
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert type(copy) is part_class
    assert copy.get_config() == arguments


def test_iterative_masking_comes_back_with_its_modalities():
    arguments = {
        "maskings": [ks.masking.Texture("high", 0.4), ks.masking.Color("luma")],
        "iterations": 2,
        "schedule": "disjoint",
        "ratio": (0.2, 0.9),
        "shares": (2.0, 1.0),
        "block_size": (2, 3),
        "seed": 11,
    }
    assert set(arguments) == named_arguments(ks.masking.IterativeMasking)
    masking = ks.masking.IterativeMasking(**arguments, name="special", dtype="mixed_bfloat16")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(masking))
    assert copy.get_config() == masking.get_config()
    assert list(copy.modalities) == arguments.pop("maskings")
    assert {name: copy.get_config()[name] for name in arguments} == arguments


@pytest.mark.fast_on("torch")
def test_the_scorer_of_a_draw_is_saved_with_the_generator(images, tmp_path):
    backbone = ks.backbones.ViT((16, 24, 3), 4, num_layers=1, num_heads=2, hidden_dim=16)
    modalities, draw = [ks.masking.Color(), ks.masking.Texture()], ks.masking.LearnedDraw(seed=3)
    rounds = ks.masking.Rounds((0.4, 0.8), iterations=2)
    generator = ks.masking.MaskGenerator(modalities, draw, rounds, block_size=2)
    model = ks.SimMIM(backbone, generator)
    model.compile(keras.optimizers.Adam(1e-2))
    logs = model.fit(images, batch_size=4, verbose=0).history
    assert {"color_loss", "texture_loss", "ranking_loss"} <= set(logs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    (kernel,), (expected,) = (each.mask_generator.get_weights() for each in (loaded, model))
    np.testing.assert_array_equal(kernel, expected)
    assert loaded.mask_generator.scorer is loaded.mask_generator.block_draw.scorer
    before, after = (each.reconstruct(images)["mask"] for each in (model, loaded))
    np.testing.assert_array_equal(before, after)


def all_arguments():
    """A SimMIM with no argument at its default."""
    return {
        "backbone": ks.backbones.ViT((8, 8, 2), 4, 1, 2, 8, mlp_dim=5),
        "mask_generator": ks.masking.SpatialMasking(0.3, 4, seed=11),
        "aggregator": ks.aggregation.ChannelMean(),
        "head": ks.heads.ReconstructionHead((8, 8, 2), name="special_head"),
        "classifier": ks.heads.ClassificationHead(4, "flatten"),
        "mask_on": "pixels",
        "mask_token": False,
        "reconstruction_weight": 0.25,
        "classification_weight": 0.5,
        "mean": (1.0, 2.0),
        "std": (3.0, 4.0),
        "embedding_metrics": True,
    }


def test_the_whole_model_comes_back_from_its_configuration():
    arguments = all_arguments()
    # What is encoded as "visible" takes other parts, objectives have weights of their own, and
    # tokenizers are for texts: tests/models/test_visible.py, tests/objectives/test_objectives.py,
    # tests/models/test_simmim_of_tokens.py.
    others = {"encode", "objectives", "crops", "tokenizer"}
    assert set(arguments) | others == named_arguments(ks.SimMIM)
    model = ks.SimMIM(**arguments, name="special")
    config = model.get_config()
    copy = ks.SimMIM.from_config(config)
    assert copy.get_config() == config
    assert copy.name == "special"
    for name in ("mask_on", "reconstruction_weight", "classification_weight", "mean", "std"):
        assert getattr(copy, name) == arguments[name]
    assert copy.has_mask_token is False
    for name in ("backbone", "mask_generator", "aggregator", "head", "classifier"):
        assert type(getattr(copy, name)) is type(arguments[name])
        assert getattr(copy, name).get_config() == arguments[name].get_config()
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]


@pytest.fixture(scope="module")
def trained(make_model, images, labels, tmp_path_factory):
    """A model trained for two steps and saved, and what it does in the third."""
    folder = tmp_path_factory.mktemp("saved")
    model = make_model(num_classes=3)
    model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.05))
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(images, labels, epochs=2, **fit)
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    saved = {
        "embeddings": model.embed(images),
        "weights": model.get_weights(),
        "optimizer": [ops.convert_to_numpy(value) for value in model.optimizer.variables],
        "config": model.get_config(),
    }
    saved["next"] = model.fit(images, labels, **fit).history
    saved["after"] = model.get_weights()
    return folder, saved, fit


def test_a_saved_model_comes_back_and_takes_the_step_it_would_have_taken(trained, images, labels):
    folder, saved, fit = trained
    model = keras.saving.load_model(folder / "model.keras")
    assert type(model) is ks.SimMIM
    # As JSON, where Keras' own build shapes are lists in both.
    assert json.dumps(model.get_config()) == json.dumps(saved["config"])
    assert int(ops.convert_to_numpy(model.step)) == 2
    for value, expected in zip(model.get_weights(), saved["weights"], strict=True):
        np.testing.assert_array_equal(value, expected)
    for value, expected in zip(model.optimizer.variables, saved["optimizer"], strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(value), expected)
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 2
    np.testing.assert_allclose(model.embed(images), saved["embeddings"], rtol=1e-6)

    resumed = model.fit(images, labels, **fit).history
    assert set(resumed) == set(saved["next"])
    for name, values in resumed.items():
        assert values == pytest.approx(saved["next"][name], rel=1e-5), name
    for value, expected in zip(model.get_weights(), saved["after"], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_saved_weights_come_back(trained, make_model, images):
    folder, saved, _ = trained
    model = make_model(num_classes=3)
    assert np.abs(model.embed(images) - saved["embeddings"]).max() > 1e-2
    model.load_weights(folder / "model.weights.h5")
    np.testing.assert_allclose(model.embed(images), saved["embeddings"], rtol=1e-6)
    assert int(ops.convert_to_numpy(model.step)) == 2


def test_a_compiled_model_has_nothing_left_to_build_and_saving_builds_nothing(make_model, tmp_path):
    network, masks = ks.backbones.ConvNet((16, 16, 3), (4,)), ks.masking.SpatialMasking(0.5, 4)
    convolutional = ks.SimMIM(network, masks, mask_on="pixels")
    for model in (make_model(), make_model(num_classes=3), convolutional):
        model.compile("adam")
        assert model.optimizer.built
        assert [layer.name for layer in model._flatten_layers() if not layer.built] == []
        model.save(tmp_path / "model.keras")
        assert model.embedder.last is model.embedder.blocks is None
