"""At which place among all items the right one stands."""

import numbers
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_simmim.data.text.padded import padded

# Histories whose scores of all items are held at a time.
_ROWS = 256


def ranking_metrics(
    recommender: Any,
    histories: Any,
    targets: Any,
    k: Any = 10,
    exclude_seen: bool = False,
) -> dict[str, float]:
    """Measure how high a recommender ranks the item that came next, among all items.

    With the target at rank r: HR@k is 1 where r ≤ k, NDCG@k is 1/log₂(1 + r) where r ≤ k, MRR is
    1/r; means over the histories. Items of equal scores are taken in every order, and the mean of
    the measures counts: scores that are all equal have the hit rate of chance, neither that of the
    first place nor that of the last.

    Args:
        recommender: anything whose `scores(histories)` are (N, V) numbers, higher for better, of
            the items 0 to V − 1, such as a `ks.SequenceRecommender`; it is called with 256 rows at
            most. Or an array of such scores. Item 0, padding, never counts.
        histories: integers (N, L), 0 being padding, or (N, L, 1 + F) with the item first; or lists
            of items.
        targets: integers (N,) from 1 to V − 1, the items that came next. Leave out an item that the
            recommender does not know, or count its users with measures of 0.
        k: places that count as found, at least 1, or several such numbers.
        exclude_seen: whether items of the history are not recommended. A target that is among them
            is then never found: its measures are 0.

    Returns:
        "HR@k" and "NDCG@k" by each k, and "MRR", numbers in [0, 1].

    Raises:
        ValueError: for shapes, types or values that do not fit, or scores that are NaN.

    Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, section IV-B;
    all items instead of 100 sampled ones: Krichene and Rendle, "On Sampled Metrics for Item
    Recommendation", KDD 2020.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    scores = np.array([[9.0, 0.1, 0.7, 0.4], [9.0, 0.1, 0.7, 0.4]])
    measures = ks.evaluation.ranking_metrics(scores, [[1], [1]], [2, 3], k=1)
    measures["HR@1"], measures["NDCG@1"], measures["MRR"]   # (0.5, 0.5, 0.75)
    ```
    """
    rows, answers = _as_rows(histories), np.asarray(targets)
    if rows.ndim not in (2, 3) or 0 in rows.shape or rows.dtype.kind not in "iu":
        raise ValueError(
            "histories must be integers (N, L) or (N, L, 1 + F) with N, L of at least 1, got "
            f"{rows.dtype} of shape {rows.shape}."
        )
    if answers.shape != rows.shape[:1] or answers.dtype.kind not in "iu":
        raise ValueError(
            f"targets must be {len(rows)} integers, one for each history, got {answers.dtype} of "
            f"shape {answers.shape}."
        )
    if rows.min() < 0 or answers.min() < 1:
        raise ValueError(
            "histories must be at least 0 and targets at least 1, as 0 is padding, got "
            f"{rows.min()} and {answers.min()}."
        )
    wanted = tuple(k) if isinstance(k, Iterable) and not isinstance(k, str) else (k,)
    if not wanted or not all(
        isinstance(each, numbers.Integral) and int(each) >= 1 for each in wanted
    ):
        raise ValueError(f"k must be an integer of at least 1, or several, got {k!r}.")
    whole = None if hasattr(recommender, "scores") else _as_array(recommender, len(rows))
    sums: dict[str, float] = {}
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        scores = _as_array(recommender.scores(rows[part])) if whole is None else whole[part]
        _check(scores, rows[part], answers)
        items = rows[part] if rows.ndim == 2 else rows[part, :, 0]
        measures = _of_batch(scores, items, answers[part], wanted, exclude_seen)
        for name, values in measures.items():
            sums[name] = sums.get(name, 0.0) + float(np.sum(values))
    return {name: value / len(rows) for name, value in sums.items()}


def _as_rows(histories: Any) -> np.ndarray:
    """Return lists of different lengths as one array, 0 behind the shorter ones."""
    ragged = isinstance(histories, list) and len({np.size(each) for each in histories}) > 1
    if not ragged:
        return np.asarray(histories)
    rows = [np.asarray(each, "int64") if len(each) == 0 else np.asarray(each) for each in histories]
    return padded(rows, max(map(len, rows)))


def _as_array(scores: Any, count: int | None = None) -> np.ndarray:
    """Return scores of any kind; those of `count` histories, if it is given."""
    values = np.asarray(keras.ops.convert_to_numpy(scores))
    # NumPy counts it among no numbers.
    values = values.astype("float32") if values.dtype.name == "bfloat16" else values
    if values.dtype.kind not in "iuf" or (count is not None and values.shape[:1] != (count,)):
        raise ValueError(
            "recommender must have `scores(histories)`, or be an array (N, V) of scores, one row "
            f"for each history, got {values.dtype} of shape {values.shape}."
        )
    return values


def _check(scores: np.ndarray, rows: np.ndarray, answers: np.ndarray) -> None:
    """Raise a ValueError for scores of a batch that do not fit."""
    if scores.ndim != 2 or len(scores) != len(rows):
        raise ValueError(
            f"recommender must give scores ({len(rows)}, V) for {len(rows)} histories, got the "
            f"shape {scores.shape}."
        )
    if answers.max() >= scores.shape[1]:
        raise ValueError(
            f"targets must be below {scores.shape[1]}, the number of items that are scored, got "
            f"{answers.max()}."
        )
    if np.any(np.isnan(scores)):
        raise ValueError("recommender must give scores that are numbers, got NaN among them.")


def _of_batch(
    scores: np.ndarray,
    items: np.ndarray,
    answers: np.ndarray,
    wanted: tuple[int, ...],
    exclude_seen: bool,
) -> dict[str, np.ndarray]:
    """Return the measures of each row of scores (N, V)."""
    size = scores.shape[1]
    counts = np.ones(scores.shape, bool)
    counts[:, 0] = False
    number = np.arange(len(scores))
    if exclude_seen:
        # An item beyond the scores is not recommended anyway.
        counts[number[:, None], np.where(items < size, items, 0)] = False
    is_found = counts[number, answers]
    own = scores[number, answers][:, None]
    above = np.sum((scores > own) & counts, axis=1)
    equal = np.sum((scores == own) & counts, axis=1)
    ranks = np.arange(1, size)
    gains = {}
    for each in wanted:
        gains[f"HR@{each}"] = np.where(ranks <= each, 1.0, 0.0)
        gains[f"NDCG@{each}"] = np.where(ranks <= each, 1 / np.log2(1 + ranks), 0.0)
    gains["MRR"] = 1 / ranks
    measures = {}
    for name, gain in gains.items():
        # The target has each of the ranks above + 1 … above + equal equally often.
        total = np.concatenate([[0.0], np.cumsum(gain)])
        mean = (total[above + equal] - total[above]) / np.maximum(equal, 1)
        measures[name] = np.where(is_found, mean, 0.0)
    return measures
