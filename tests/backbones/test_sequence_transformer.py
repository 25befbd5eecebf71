"""The transformer of sequences: against NumPy, and blind to padding to the last bit."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import erf
from support.compiled import compiled

import keras_simmim as ks

TOKENS = np.array([[3, 5, 7, 2, 0, 0], [1, 1, 4, 0, 0, 0], [9, 8, 7, 6, 5, 4], [2, 0, 0, 0, 0, 0]])


def transformer(**options):
    keras.utils.set_random_seed(0)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8}
    return ks.backbones.SequenceTransformer(10, 6, **{**sizes, **options})


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def norm(x, layer):
    scale, offset = (numbers(weight) for weight in layer.weights)
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-6) * scale + offset


def linear(x, layer):
    kernel, bias = (numbers(weight) for weight in layer.weights)
    return x @ kernel + bias


def in_numpy(backbone, tokens, count_from="start"):
    """What the network computes, one row after the other, on its tokens alone."""
    encoder = backbone.encoder
    rows = np.zeros((*tokens.shape, 8))
    for row, sequence in zip(rows, tokens, strict=True):
        places = np.nonzero(sequence)[0]
        x = numbers(backbone.stem.tables[0])[sequence[places]].astype("float64")
        order = np.arange(len(places))
        order = order[::-1] if count_from == "end" else order
        x = x + numbers(encoder.position_embedding)[order]
        for block in encoder.blocks:
            projected = linear(norm(x, block.attention_norm), block.query_key_value)
            query, key, value = projected.reshape(len(places), 3, 2, 4).transpose(1, 2, 0, 3)
            scores = query @ key.transpose(0, 2, 1) / 2
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            attended = weights / weights.sum(-1, keepdims=True) @ value
            attended = attended.transpose(1, 0, 2).reshape(len(places), 8)
            x = x + linear(attended, block.attention_output)
            hidden = linear(norm(x, block.mlp_norm), block.mlp_hidden)
            hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
            x = x + linear(hidden, block.mlp_output)
        row[places] = norm(x, encoder.norm)
    return rows


@pytest.mark.parametrize("count_from", ["start", "end"])
def test_it_computes_what_numpy_computes(count_from):
    backbone = transformer(count_from=count_from)
    # Larger weights than new ones, so that every term counts.
    backbone.set_weights([3 * weight for weight in backbone.get_weights()])
    expected = in_numpy(backbone, TOKENS, count_from)
    np.testing.assert_allclose(numbers(backbone(TOKENS)), expected, rtol=1e-4, atol=1e-4)
    found = numbers(backbone.pool(backbone.features(ops.convert_to_tensor(TOKENS))))
    counts = (TOKENS > 0).sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected.sum(1) / counts, rtol=1e-4, atol=1e-4)
    blocks = backbone.block_outputs(ops.convert_to_tensor(TOKENS))
    np.testing.assert_array_equal(numbers(blocks[-1].features), numbers(backbone(TOKENS)))


# Keras asks torch about flash attention in a way that its tracer does not follow in one piece.
TRACED = pytest.param(True, marks=pytest.mark.only_on("tensorflow", "jax"))


@pytest.mark.parametrize("jit", [False, TRACED])
def test_what_stands_at_padding_changes_nothing_to_the_last_bit(jit):
    backbone = transformer()
    valid = (TOKENS > 0).astype("float32")
    generator = np.random.default_rng(0)
    features = generator.normal(size=(4, 6, 8)).astype("float32")

    def encode(features, valid):
        return backbone.encoder(features, training=False, valid=valid)

    run = compiled(encode) if jit else encode
    found = numbers(run(ops.convert_to_tensor(features), ops.convert_to_tensor(valid)))
    for other in (7.0, 1e30, np.nan, np.inf):
        changed = np.where(valid[..., None] > 0, features, other).astype("float32")
        again = numbers(run(ops.convert_to_tensor(changed), ops.convert_to_tensor(valid)))
        np.testing.assert_array_equal(again, found)
    assert np.all(found[valid == 0] == 0)


@pytest.mark.fast_on("torch", "tensorflow")
def test_the_same_text_at_another_length_and_on_the_other_side_of_its_padding():
    backbone = transformer()
    short = TOKENS[[0, 1, 3]]
    expected = numbers(backbone.pool(backbone.features(ops.convert_to_tensor(short))))
    left = np.array([np.roll(row, (row == 0).sum()) for row in short])
    for other in (short[:, :4], left, left[:, 1:]):
        found = numbers(backbone.pool(backbone.features(ops.convert_to_tensor(other))))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    longer = backbone.resize(9)
    found = numbers(
        longer.pool(longer.features(ops.convert_to_tensor(np.pad(short, ((0, 0), (0, 3))))))
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_padding_alone_is_nothing():
    backbone = transformer()
    tokens = ops.zeros((2, 6), "int32")
    assert np.all(numbers(backbone(tokens)) == 0)
    assert np.all(numbers(backbone.pool(backbone.features(tokens))) == 0)


def test_side_features_are_added():
    backbone = transformer(side_features={"category": 4})
    assert backbone.fields == {"token": 10, "category": 4}
    tokens = np.stack([TOKENS, np.where(TOKENS > 0, TOKENS % 3 + 1, 0)], -1)
    plain = transformer()
    table, second = (numbers(each) for each in backbone.tables)
    weights = plain.get_weights()
    copied = backbone.get_weights()
    plain.set_weights([copied[0], *copied[2:]])
    assert weights[0].shape == copied[0].shape
    features = ops.convert_to_tensor(table[TOKENS] + second[tokens[..., 1]])
    valid = ops.convert_to_tensor((TOKENS > 0).astype("float32"))
    expected = numbers(plain.encoder(features, training=False, valid=valid))
    np.testing.assert_allclose(numbers(backbone(tokens)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_close_and_finite(policy):
    backbone = transformer(dtype=policy)
    exact = transformer()
    exact.set_weights(backbone.get_weights())
    found = numbers(ops.cast(backbone(TOKENS), "float32"))
    assert np.abs(found - numbers(exact(TOKENS))).max() < 0.1


def test_what_it_says_of_itself():
    backbone = transformer()
    assert backbone.takes_tokens
    assert backbone.positions == (6,)
    assert backbone.stages == [(1, 8)]
    assert backbone.num_blocks == 2
    depths = {name: backbone.depth_of(weight) for name, weight in backbone.named_weights().items()}
    assert depths["stem/table"] == depths["encoder/position_embedding"] == 0
    assert depths["encoder/norm/gamma"] == 3
    backbone.freeze(1)
    trainable = {backbone.depth_of(weight) for weight in backbone.trainable_variables}
    assert trainable == {2, 3}
    copy = backbone.for_task(drop_path_rate=0.1)
    assert copy.options["drop_path_rate"] == 0.1
    assert copy.encoder.norm is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 1}, "vocabulary_size must be an integer of at least 2"),
        ({"vocabulary_size": 9, "hidden_dim": 9, "num_heads": 2}, "must divide hidden_dim"),
        ({"vocabulary_size": 9, "count_from": "middle"}, "count_from must be"),
        ({"vocabulary_size": 9, "side_features": {"kind": 1}}, r"side_features\['kind'\]"),
    ],
)
def test_arguments_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        ks.backbones.SequenceTransformer(**arguments)


@pytest.mark.parametrize("shape", [(2, 7), (6,), (2, 6, 2)])
def test_tokens_of_another_shape(shape):
    with pytest.raises(ValueError, match="tokens must be integers"):
        transformer()(ops.ones(shape, "int32"))
