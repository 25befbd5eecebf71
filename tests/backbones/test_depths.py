"""Which block a weight belongs to, and what that makes of its learning rate."""

import pytest

import keras_simmim as ks


@pytest.fixture(scope="module")
def vit():
    options = {"class_token": True, "relative_position_bias": "block", "layer_scale": 0.1}
    sizes = {"num_layers": 12, "num_heads": 1, "hidden_dim": 2, "mlp_dim": 2}
    return ks.backbones.ViT((4, 4, 1), 2, **sizes, **options, query_key_value_bias="query_value")


@pytest.fixture(scope="module")
def swin():
    sizes = {"hidden_dim": 2, "depths": (2, 2, 18, 2), "num_heads": (1, 1, 1, 1)}
    return ks.backbones.Swin((8, 8, 1), 1, **sizes, window_size=2, mlp_ratio=1.0)


def depths(backbone):
    """The depth of every weight by its name in the backbone."""
    named = backbone.named_weights()
    return {name: backbone.depth_of(weight) for name, weight in named.items()}


def test_the_depths_of_vit_base(vit):
    found = depths(vit)
    for name in ("stem/kernel", "stem/bias", "encoder/class_token", "encoder/position_embedding"):
        assert found.pop(name) == 0
    for name in ("encoder/norm/gamma", "encoder/norm/beta"):
        assert found.pop(name) == 13
    for block in range(12):
        names = [name for name in found if name.startswith(f"encoder/block_{block}/")]
        assert {"mlp_hidden/kernel", "attention_scale", "query_bias"} <= {
            name.removeprefix(f"encoder/block_{block}/") for name in names
        }
        names.append(f"encoder/block_{block}_relative_position_bias/relative_position_bias_table")
        assert {found.pop(name) for name in names} == {block + 1}
    assert not found
    assert vit.num_blocks == 12


def test_a_shared_table_lies_behind_all_blocks():
    vit = ks.backbones.ViT((4, 4, 1), 2, 2, 1, 2, relative_position_bias="shared")
    table = "encoder/relative_position_bias/relative_position_bias_table"
    assert depths(vit)[table] == 3


def test_the_depths_of_swin_base(swin):
    found = depths(swin)
    for name in ("patch_embedding/kernel", "patch_embedding/bias", "norm/gamma", "norm/beta"):
        assert found.pop(f"stem/{name}") == 0
    for name in ("encoder/norm/gamma", "encoder/norm/beta"):
        assert found.pop(name) == 25
    # Blocks below: the stem is 0, so block 0 of stage 0 is 1 of 0 to 25.
    for stage, below in enumerate((0, 2, 4, 22)):
        for block in range((2, 2, 18, 2)[stage]):
            start = f"encoder/stage_{stage}_block_{block}/"
            names = [name for name in found if name.startswith(start)]
            table = "relative_position_bias/relative_position_bias_table"
            assert {f"{start}attention_norm/gamma", f"{start}{table}"} <= set(names)
            assert {found.pop(name) for name in names} == {below + block + 1}
    for stage, depth in enumerate((2, 4, 22)):
        for name in ("norm/gamma", "norm/beta", "reduction/kernel"):
            assert found.pop(f"encoder/merge_{stage}/{name}") == depth
    assert not found


def test_rates_fall_by_the_decay_from_block_to_block(vit):
    optimizer = ks.training.SelectiveAdamW(1e-3, layer_decay=0.65)
    classifier = ks.ImageClassifier(vit, 2)
    classifier.compile(optimizer)
    weights = vit.named_weights()
    assert optimizer.multiplier(weights["stem/kernel"]) == 0.65**13
    assert optimizer.multiplier(weights["encoder/norm/gamma"]) == 1
    assert all(optimizer.multiplier(weight) == 1 for weight in classifier.classifier.weights)
    rate = optimizer.multiplier(weights["encoder/block_0/mlp_norm/gamma"])
    assert rate == pytest.approx(0.005688009, rel=1e-6)


def test_a_mask_token_learns_as_the_stem_does(vit):
    model = ks.SimMIM(vit, ks.masking.SpatialMasking(0.5, 1))
    assert model.depth_of(model.mask_token) == 0
    assert model.depth_of(model.head.projection.kernel) == 13


def test_a_network_without_blocks_has_one_rate():
    backbone = ks.backbones.ConvNet((4, 4, 1), (2, 2))
    assert set(depths(backbone).values()) == {1}
    assert backbone.num_blocks == 0
