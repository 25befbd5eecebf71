"""The last item of each user as the question, and the one before it to choose models by."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_simmim.data import arguments
from keras_simmim.data.sources.interactions import Interactions


class NextItems(NamedTuple):
    """Hold histories, and the item that comes after each.

    Attributes:
        histories: int32 (N, L), 0 being padding, or with F features (N, L, 1 + F), the item first.
        targets: int32 (N,), the items.
    """

    histories: np.ndarray
    targets: np.ndarray


class Split(NamedTuple):
    """Hold the three parts of `leave_one_out`.

    Attributes:
        train: what to learn from.
        validation: what to choose by.
        test: what to measure by.
    """

    train: NextItems
    validation: NextItems
    test: NextItems


def leave_one_out(
    users: Any,
    items: Any,
    times: Any,
    length: int = 50,
    features: Mapping[str, Any] | None = None,
) -> Split:
    """Ask for the last item of each user, given all before it.

    Of a user's n items i₁ … iₙ in order of time, interactions at the same time in the order in
    which they are given, come:

    - for n ≥ 4: into `test` i₁ … iₙ₋₁ and the target iₙ; into `validation` i₁ … iₙ₋₂ and iₙ₋₁;
      into `train` i₁ … iₙ₋₃ and iₙ₋₂;
    - for n = 2 or 3: into `train` i₁ … iₙ₋₁ and iₙ, and nothing else;
    - for n = 1: nothing.

    A history is its last `length` items, the earliest first, padded with 0 on the right. Rows are
    in the order of the sorted users; those of `validation` and `test` are the same users. To
    pretrain without what is asked for, use `ks.data.histories(…, held_out=2)`: its rows are the
    histories of `train` with their targets behind them.

    Args:
        users: who, numbers or texts (M,), one of each interaction, in any order.
        items: what, integers (M,) of at least 1.
        times: when, numbers or dates (M,).
        length: most items of a history, L.
        features: what else is known of each interaction, by name: integers (M,) of at least 1.

    Returns:
        `(train, validation, test)`, each `(histories, targets)`: int32 (N, L), or with F features
        (N, L, 1 + F), the item first; and int32 (N,). `validation` and `test` are empty where no
        user has four items.

    Raises:
        ValueError: for arrays of different lengths or other types, items or features below 1, no
            user with two items, or a length below 1.
        TypeError: if `length` is no integer.

    Source: Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, section IV-A.

    Example:
    ```python
    import keras_simmim as ks

    users, items, times = [7, 7, 7, 7, 7], [5, 6, 4, 3, 2], [50, 10, 20, 30, 40]
    train, validation, test = ks.data.leave_one_out(users, items, times, length=4)
    test.histories.tolist(), test.targets.tolist()   # ([[6, 4, 3, 2]], [5])
    ```
    """
    length = arguments.as_integer("length", length, minimum=1)
    given = Interactions.from_arrays(users, items, times, features)
    if given.counts.max() < 2:
        raise ValueError(
            f"users must have at least one with two items, got {len(given.users)} with one each."
        )

    def part(chosen: np.ndarray, places: np.ndarray) -> NextItems:
        return NextItems(given.last(chosen, places, length), given.items_at(chosen, places))

    several, many = np.flatnonzero(given.counts >= 2), np.flatnonzero(given.counts >= 4)
    counts = given.counts[several]
    asked = given.counts[many]
    return Split(
        train=part(several, np.where(counts >= 4, counts - 3, counts - 1)),
        validation=part(many, asked - 2),
        test=part(many, asked - 1),
    )
