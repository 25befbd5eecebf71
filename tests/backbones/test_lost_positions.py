"""Tokens that are not told where they stand."""

import numpy as np
import pytest
from keras import ops

import keras_simmim as ks
from keras_simmim.backbones.transformer_encoder import TransformerEncoder


def make(**options):
    """An encoder of 2×3 positions with random weights, two patch maps, and a stand-in."""
    encoder = TransformerEncoder(num_layers=1, num_heads=2, mlp_dim=8, **options)
    encoder.build((None, 2, 3, 4))
    generator = np.random.default_rng(0)
    encoder.set_weights([generator.normal(size=weight.shape) for weight in encoder.weights])
    patches = ops.array(generator.normal(size=(2, 2, 3, 4)), "float32")
    return encoder, patches, ops.array(generator.normal(size=4), "float32")


@pytest.mark.parametrize("class_token", [False, True])
def test_the_stand_in_takes_the_place_of_lost_positions(class_token):
    encoder, patches, stand_in = make(class_token=class_token)
    lost = np.array([[0, 1, 0, 0, 1, 1], [1, 0, 0, 0, 0, 0]], "float32")
    found = encoder(patches, lost=ops.array(lost), stand_in=stand_in)
    table = ops.convert_to_numpy(encoder.position_embedding).copy()
    for image in range(2):
        changed = table.copy()
        changed[class_token:][lost[image] > 0] = ops.convert_to_numpy(stand_in)
        encoder.position_embedding.assign(changed)
        expected = ops.convert_to_numpy(encoder(patches))[image]
        np.testing.assert_allclose(ops.convert_to_numpy(found)[image], expected, atol=1e-5)
    encoder.position_embedding.assign(table)
    none = encoder(patches, lost=ops.zeros((2, 6)), stand_in=stand_in)
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (none, encoder(patches))))


def test_without_positions_the_order_of_patches_makes_no_difference():
    encoder, patches, stand_in = make(class_token=True)
    order = np.array([3, 1, 5, 0, 2, 4])
    flat = ops.convert_to_numpy(patches).reshape(2, 6, 4)
    lost = ops.ones((2, 6))
    straight = encoder(patches, lost=lost, stand_in=stand_in)
    shuffled = encoder(ops.array(flat[:, order].reshape(2, 2, 3, 4)), lost=lost, stand_in=stand_in)
    straight, shuffled = (
        ops.convert_to_numpy(each).reshape(2, 6, 4) for each in (straight, shuffled)
    )
    np.testing.assert_allclose(shuffled, straight[:, order], atol=1e-5)


def test_positions_are_counted_over_all_and_not_over_the_visible():
    encoder, patches, stand_in = make()
    visible = ops.array([[1, 3, 4], [1, 3, 4]], "int32")
    lost = ops.array([[0, 0, 0, 1, 1, 0]] * 2, "float32")
    found = encoder(patches, visible=visible, lost=lost, stand_in=stand_in)
    table = ops.convert_to_numpy(encoder.position_embedding).copy()
    table[[3, 4]] = ops.convert_to_numpy(stand_in)
    encoder.position_embedding.assign(table)
    expected = encoder(patches, visible=visible)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), atol=1e-5)


def test_what_cannot_be_lost_is_named():
    encoder, patches, stand_in = make()
    with pytest.raises(ValueError, match="lost was given without stand_in"):
        encoder(patches, lost=ops.zeros((2, 6)))
    with pytest.raises(ValueError, match="stand_in was given without lost"):
        encoder(patches, stand_in=stand_in)
    encoder, patches, stand_in = make(position_embedding=False)
    with pytest.raises(ValueError, match="position_embedding=False leaves no position"):
        encoder(patches, lost=ops.zeros((2, 6)), stand_in=stand_in)


def test_who_embeds_positions():
    def vit(**options):
        return ks.backbones.ViT((4, 4, 1), 2, 1, 1, 2, **options)

    assert vit().embeds_positions
    assert vit(class_token=True).embeds_positions
    assert not vit(position_embedding=False).embeds_positions
    assert not vit(relative_position_bias="block").embeds_positions
    assert not ks.backbones.ConvNet((4, 4, 1)).embeds_positions
