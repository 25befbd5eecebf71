"""Measures of rankings, by hand and against a loop over every order of equal scores."""

import itertools
import math

import keras
import numpy as np
import pytest

from keras_simmim.evaluation import ranking_metrics


class Recommender:
    """Gives scores of a table by the first item of a history."""

    def __init__(self, table):
        self.table = table
        self.sizes = []

    def scores(self, histories):
        self.sizes.append(len(histories))
        first = histories[:, 0] if histories.ndim == 2 else histories[:, 0, 0]
        return keras.ops.convert_to_tensor(self.table[first])


def by_loop(scores, histories, targets, k, exclude_seen=False):
    """Mean over the rows of the mean over all orders in which equal scores can stand."""
    sums = {f"HR@{k}": 0.0, f"NDCG@{k}": 0.0, "MRR": 0.0}
    for own, history, target in zip(scores, histories, targets, strict=True):
        items = [item for item in range(1, len(own)) if not (exclude_seen and item in history)]
        if target not in items:
            continue
        orders = list(itertools.permutations(items))
        for order in orders:
            ranking = sorted(order, key=lambda item: -own[item])
            rank = 1 + ranking.index(target)
            sums["MRR"] += 1 / rank / len(orders)
            if rank <= k:
                sums[f"HR@{k}"] += 1 / len(orders)
                sums[f"NDCG@{k}"] += 1 / math.log2(1 + rank) / len(orders)
    return {name: value / len(scores) for name, value in sums.items()}


def test_by_hand():
    # Ranks 1, 3 and 4; the score of padding, the highest, does not count.
    scores = [[9, 4, 3, 2, 1], [9, 4, 3, 2, 1], [9, 4, 3, 2, 1]]
    measures = ranking_metrics(scores, [[1], [1], [1]], [1, 3, 4], k=3)
    assert list(measures) == ["HR@3", "NDCG@3", "MRR"]
    assert measures["HR@3"] == pytest.approx(2 / 3)
    assert measures["NDCG@3"] == pytest.approx((1 + 0.5) / 3)
    assert measures["MRR"] == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)


def test_equal_scores_have_the_hit_rate_of_chance():
    measures = ranking_metrics(np.zeros((4, 21)), np.ones((4, 2), int), [1, 2, 3, 20], k=5)
    assert measures["HR@5"] == pytest.approx(5 / 20)
    assert measures["MRR"] == pytest.approx(sum(1 / rank for rank in range(1, 21)) / 20)


@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize("k", [1, 2, 9])
def test_equals_a_loop(k, exclude_seen):
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 3, (20, 7)).astype("float32")
    histories = generator.integers(0, 7, (20, 2))
    targets = generator.integers(1, 7, 20)
    expected = by_loop(scores, histories, targets, k, exclude_seen)
    measures = ranking_metrics(scores, histories, targets, k, exclude_seen)
    assert measures == pytest.approx(expected, abs=1e-12)
    features = np.stack([histories, 7 - histories], axis=-1)
    assert ranking_metrics(scores, features, targets, k, exclude_seen) == measures


def test_a_recommender_is_asked_batch_by_batch():
    generator = np.random.default_rng(0)
    recommender = Recommender(generator.normal(size=(600, 30)).astype("float32"))
    histories, targets = np.arange(600)[:, None], generator.integers(1, 30, 600)
    measures = ranking_metrics(recommender, histories, targets, k=(1, 10))
    assert recommender.sizes == [256, 256, 88]
    assert list(measures) == ["HR@1", "NDCG@1", "HR@10", "NDCG@10", "MRR"]
    assert measures == pytest.approx(
        ranking_metrics(recommender.table, histories, targets, (1, 10))
    )
    ranks = [
        1 + sum(other > own[target] for other in own[1:])
        for own, target in zip(recommender.table, targets, strict=True)
    ]
    assert measures["HR@10"] == pytest.approx(np.mean([rank <= 10 for rank in ranks]))
    assert measures["MRR"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert measures["HR@1"] == measures["NDCG@1"]


def test_half_precision_and_infinite_scores():
    scores = keras.ops.cast(keras.ops.convert_to_tensor([[0.0, 1.0, 2.0, 4.0]]), "bfloat16")
    assert ranking_metrics(scores, [[1]], [2])["MRR"] == pytest.approx(0.5)
    assert ranking_metrics([[0, -np.inf, np.inf, -np.inf]], [[1]], [3])["MRR"] == pytest.approx(
        (1 / 2 + 1 / 3) / 2
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"histories": [1, 2]},
            r"histories must be integers \(N, L\) .* got int64 of shape \(2,\)",
        ),
        ({"histories": np.zeros((0, 3), int)}, "with N, L of at least 1"),
        ({"histories": [["a"], ["b"]]}, "histories must be integers .* got <U1"),
        ({"histories": [[-1], [1]]}, "histories must be at least 0 .* got -1 and 1"),
        ({"targets": [1]}, r"targets must be 2 integers, .* got int64 of shape \(1,\)"),
        ({"targets": [1.0, 2.0]}, "targets must be 2 integers, .* got float64"),
        ({"targets": [0, 1]}, "targets at least 1, as 0 is padding, got 1 and 0"),
        ({"targets": [1, 4]}, "targets must be below 4, the number of items .* got 4"),
        ({"k": 0}, "k must be an integer of at least 1, or several, got 0"),
        ({"k": 1.5}, r"got 1\.5"),
        ({"k": "10"}, "got '10'"),
        ({"k": ()}, r"got \(\)"),
        ({"recommender": np.ones((3, 4))}, r"an array \(N, V\) of scores, .* shape \(3, 4\)"),
        ({"recommender": np.ones((2, 4, 1))}, r"scores \(2, V\) .* got the shape \(2, 4, 1\)"),
        ({"recommender": "popularity"}, r"must have `scores\(histories\)`, or be an array"),
        ({"recommender": np.full((2, 4), np.nan)}, "scores that are numbers, got NaN"),
        ({"recommender": Recommender(np.ones((9, 4, 1)))}, r"scores \(2, V\) for 2 histories"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    given = {"recommender": np.ones((2, 4)), "histories": [[1], [2]], "targets": [1, 2]}
    assert ranking_metrics(**given)["HR@10"] == 1.0
    with pytest.raises(ValueError, match=message):
        ranking_metrics(**{**given, **arguments})
