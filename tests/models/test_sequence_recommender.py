"""SequenceRecommender: what comes next is what a mask behind the history hides."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_simmim as ks

pytestmark = pytest.mark.fast_on("torch")


def make(**options):
    keras.utils.set_random_seed(0)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "count_from": "end"}
    sizes |= {name: options.pop(name) for name in ("side_features",) if name in options}
    backbone = ks.backbones.SequenceTransformer(15, 6, **sizes)
    recommender = ks.SequenceRecommender(backbone, **options)
    recommender.compile(keras.optimizers.AdamW(1e-2))
    return recommender


def rounds(count=200):
    """Histories that count on from a first item, 14 before 1."""
    generator = np.random.default_rng(0)
    starts, lengths = generator.integers(0, 14, count), generator.integers(3, 7, count)
    return [[(s + i) % 14 + 1 for i in range(n)] for s, n in zip(starts, lengths, strict=True)]


@pytest.fixture(scope="module")
def trained():
    recommender = make()
    recommender.compile(keras.optimizers.AdamW(2e-2))
    recommender.fit(rounds(400), epochs=30, batch_size=100, verbose=0)
    return recommender


def test_it_recommends_what_comes_next(trained):
    found = trained.recommend([[1, 2, 3], [11, 12, 13], [6, 7]], k=3)
    assert found.items[:, 0].tolist() == [4, 14, 8]
    assert np.all(np.diff(found.scores) <= 0)
    split = [(row[:-1], row[-1]) for row in rounds()]
    histories, targets = zip(*split, strict=True)
    metrics = ks.evaluation.ranking_metrics(trained, list(histories), np.array(targets), k=3)
    assert metrics["HR@3"] > 0.9


def test_scores_are_those_of_a_hidden_item_behind_the_history(trained):
    tokens = np.array([[3, 4, 5, 1, 0, 0], [9, 1, 0, 0, 0, 0]])
    found = trained.scores([[3, 4, 5], [9]])
    assert np.all(np.isneginf(found[:, 0]))
    # A model whose masks hide the last item of every sequence.
    masks = ks.masking.MaskGenerator(
        [ks.masking.Spatial()], ks.masking.LastDraw(1.0), 0.2, block_size=1
    )
    masks.build((None, 6, 16))
    masked = trained.masked_pass(
        ops.convert_to_tensor(tokens, "int32"), 0, False, mask_generator=masks
    )
    places = [3, 1]
    scores = ops.convert_to_numpy(trained.head(masked.encoded[:, 0], trained.backbone.tables))
    expected = scores[np.arange(2), places]
    np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-4, atol=1e-4)


def test_seen_items_are_left_out_or_not(trained):
    history = [[2, 3, 4, 5, 6, 7, 8, 9]]
    all_items = trained.recommend(history, k=14)
    assert set(all_items.items[0][:6]) == {1, 10, 11, 12, 13, 14}
    assert np.all(all_items.items[0][6:] == 0)
    assert np.all(np.isneginf(all_items.scores[0][6:]))
    with_seen = trained.recommend(history, k=14, exclude_seen=False)
    assert sorted(with_seen.items[0]) == list(range(1, 15))
    # Arrays, padded on any side, and batches of any size give the same.
    left = np.array([[0, 0, 3, 4, 5]])
    for given in (left, left[:, ::-1][:, :3][:, ::-1], [np.array([3, 4, 5])]):
        np.testing.assert_allclose(trained.scores(given), trained.scores([[3, 4, 5]]), atol=1e-5)
    np.testing.assert_array_equal(
        trained.recommend(rounds(9), k=2, batch_size=2).items,
        trained.recommend(rounds(9), k=2).items,
    )
    # Nothing is known of a newcomer.
    assert trained.recommend([[]], k=2).items.shape == (1, 2)


def test_targets_stand_behind_their_histories():
    recommender = make()
    found = recommender.with_targets([[1, 2], [1, 2, 3, 4, 5, 6]], np.array([7, 8]))
    assert found.tolist() == [[1, 2, 7, 0, 0, 0], [2, 3, 4, 5, 6, 8]]
    recommender.fit([[1, 2], [3, 4]], np.array([3, 5]), verbose=0)
    assert np.isfinite(recommender.evaluate([[1, 2]], np.array([3]), verbose=0)).all()
    # Also of validation, where a history of nothing but its target loses just that.
    held_out = ([[], []], np.array([5, 6]))
    logs = recommender.fit([[1, 2]], np.array([3]), validation_data=held_out, verbose=0).history
    found = recommender.evaluate(*held_out, verbose=0, return_dict=True)
    assert logs["val_token_loss"][0] == pytest.approx(found["token_loss"], rel=1e-5)
    assert logs["val_token_loss"][0] > 0


@pytest.mark.fast_on("torch")
def test_side_features_hidden_apart(tmp_path):
    recommender = make(side_features={"kind": 4}, apart=True, ratio=0.5)
    assert recommender.mask_generator.names == ("spatial", "field_1")
    histories = np.zeros((40, 6, 2), "int32")
    for row, items in zip(histories, rounds(40), strict=True):
        row[: len(items), 0] = items
        row[: len(items), 1] = np.array(items) % 3 + 1
    history = recommender.fit(histories, epochs=2, verbose=0).history
    assert {"token_token_loss", "token_kind_loss"} <= set(history)
    recommender.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.recommend(histories[:3]).items, recommender.recommend(histories[:3]).items
    )
    assert recommender.with_targets(histories[:1, :2], np.array([5])).shape == (1, 6, 2)


@pytest.mark.parametrize(
    ("histories", "options", "message"),
    [
        ([[15]], {}, "items from 1 to 14, got 15 to 15"),
        ([[-1]], {}, "items from 1 to 14, got -1"),
        ([[1.5]], {}, "must be integers"),
        (np.array([1, 2]), {}, r"histories\[None\]"),
        ([[1]], {"k": 15}, "k must be from 1 to 14"),
    ],
)
def test_histories_that_are_none(histories, options, message):
    with pytest.raises(ValueError, match=message):
        make().recommend(histories, **options)


def test_arguments_that_are_none():
    with pytest.raises(ValueError, match="backbone must be one of tokens"):
        ks.SequenceRecommender(ks.backbones.ConvNet((8, 8, 1), (4,)))
    with pytest.raises(ValueError, match="targets must be one for each of 1"):
        make().fit([[1, 2]], np.array([1, 2]), verbose=0)
