"""Interactions become each user's items in order of time, checked against a loop."""

import numpy as np
import pytest

from keras_simmim import data
from keras_simmim.data.pipeline.origin import origin

pytestmark = pytest.mark.any_backend


def interactions(seed=0, count=200):
    """Users, items, times with many ties, and two features, in no order."""
    generator = np.random.default_rng(seed)
    users = generator.integers(0, 30, count) ** 2
    items = generator.integers(1, 40, count)
    times = generator.integers(0, 50, count)
    features = {name: generator.integers(1, 9, count) for name in ("category", "gap")}
    return users, items, times, features


def by_user(users, items, times, features=None):
    """Each user's items in order, as a list of lists, by a loop."""
    columns = [items, *(features or {}).values()]
    found = {}
    for place in sorted(range(len(users)), key=lambda place: (times[place], place)):
        found.setdefault(users[place], []).append([int(values[place]) for values in columns])
    return {user: found[user] for user in sorted(found)}


def row(part, length):
    """The last items, padded on the right."""
    kept = part[-length:]
    return kept + [[0] * len(part[0])] * (length - len(kept))


def all_of(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


@pytest.mark.parametrize("length", [3, 5, 20])
@pytest.mark.parametrize("held_out", [0, 1, 2])
def test_equals_a_loop(length, held_out):
    users, items, times, features = interactions()
    for given in (None, features):
        dataset = data.histories(
            users, items, times, length, 8, features=given, held_out=held_out, training=False
        )
        parts = by_user(users, items, times, given)
        expected, cut = [], 0
        for part in parts.values():
            if len(part) < 2:
                continue
            shown = part[: len(part) - held_out] if len(part) >= held_out + 2 else part
            expected.append(row(shown, length))
            cut += len(shown) > length
        rows = all_of(dataset)
        assert rows.dtype == np.int32
        wanted = np.array(expected)
        np.testing.assert_array_equal(rows, wanted if given else wanted[..., 0])
        assert dataset.users.tolist() == [user for user, part in parts.items() if len(part) > 1]
        assert dataset.left_out == sum(len(part) < 2 for part in parts.values())
        assert (dataset.truncated, dataset.example_count) == (cut, len(expected))
        assert dataset.feature_names == (list(given) if given else None)


def test_by_hand():
    users = ["b", "a", "b", "b", "c", "a"]
    times = np.array(["2026-01-03", "2026-01-05"] * 3, "datetime64[D]")
    dataset = data.histories(users, [1, 2, 3, 4, 5, 6], times, 4, training=False)
    # b: 1 and 3 at the same time, then 4; a: 2 and 6 at the same time; c: one item.
    assert all_of(dataset).tolist() == [[2, 6, 0, 0], [1, 3, 4, 0]]
    assert dataset.users.tolist() == ["a", "b"]
    assert origin(dataset.map(lambda rows: rows), "left_out") == 1
    cut = data.histories(users, [1, 2, 3, 4, 5, 6], times.astype(object), 2, training=False)
    assert all_of(cut).tolist() == [[2, 6], [3, 4]]


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_a_stride_shows_earlier_items_in_rows_of_their_own(stride):
    users, items, times, _ = interactions(2)
    dataset = data.histories(users, items, times, 5, 8, held_out=2, stride=stride, training=False)
    expected, names = [], []
    for user, part in by_user(users, items, times).items():
        if len(part) < 2:
            continue
        shown = part[:-2] if len(part) >= 4 else part
        stops = [len(shown)]
        while stops[-1] > 5:
            stops.append(stops[-1] - stride)
        expected += [row(shown[:stop], 5) for stop in reversed(stops)]
        names += [user] * len(stops)
    assert len(expected) > len(set(names))
    np.testing.assert_array_equal(all_of(dataset), np.array(expected)[..., 0])
    assert dataset.users.tolist() == names
    assert (dataset.truncated, dataset.example_count) == (0, len(expected))


def test_a_resumed_run_repeats_the_uninterrupted_one():
    users, items, times, features = interactions()

    def make(**place):
        return data.histories(users, items, times, 6, 5, features=features, seed=3, **place)

    uninterrupted = make()
    epochs = [list(uninterrupted.as_numpy_iterator()) for _ in range(3)]
    assert [len(epoch) for epoch in epochs] == [uninterrupted.example_count // 5] * 3
    assert not np.array_equal(epochs[0], epochs[1])
    for first_batch in range(len(epochs[0])):
        resumed = make(epoch=1, first_batch=first_batch)
        for expected in (epochs[1][first_batch:], epochs[2]):
            np.testing.assert_array_equal(list(resumed.as_numpy_iterator()), expected)


@pytest.mark.parametrize("length", [2, 4, 30])
def test_leave_one_out_equals_a_loop(length):
    users, items, times, features = interactions(1)
    for given in (None, features):
        split = data.leave_one_out(users, items, times, length, given)
        parts = [part for part in by_user(users, items, times, given).values() if len(part) > 1]
        many = [part for part in parts if len(part) > 3]
        assert len(parts) > len(many) > 5
        cuts = {
            "train": [part[:-3] + part[-3:-2] if len(part) > 3 else part for part in parts],
            "validation": [part[:-1] for part in many],
            "test": many,
        }
        for name, whole in cuts.items():
            histories, targets = getattr(split, name)
            assert histories.dtype == targets.dtype == np.int32
            wanted = np.array([row(part[:-1], length) for part in whole])
            np.testing.assert_array_equal(histories, wanted if given else wanted[..., 0])
            assert targets.tolist() == [part[-1][0] for part in whole]
        # What is pretrained on knows of neither the last item nor the one before it.
        known = data.histories(
            users, items, times, length + 1, features=given, held_out=2, training=False
        )
        expected = np.array([row(part, length + 1) for part in cuts["train"]])
        np.testing.assert_array_equal(all_of(known), expected if given else expected[..., 0])


def test_leave_one_out_by_hand():
    # User 1 has five items, 2 has three, 3 has two, 4 has one, 5 has four.
    users = np.array([1] * 5 + [2] * 3 + [3] * 2 + [4] + [5] * 4)
    items = np.arange(1, 16)
    train, validation, test = data.leave_one_out(users, items, np.arange(15), length=3)
    assert train.histories.tolist() == [[1, 2, 0], [6, 7, 0], [9, 0, 0], [12, 0, 0]]
    assert train.targets.tolist() == [3, 8, 10, 13]
    assert validation.histories.tolist() == [[1, 2, 3], [12, 13, 0]]
    assert validation.targets.tolist() == [4, 14]
    assert test.histories.tolist() == [[2, 3, 4], [12, 13, 14]]
    assert test.targets.tolist() == [5, 15]
    _, validation, test = data.leave_one_out([1, 1], [1, 2], [0, 1], features={"f": [3, 4]})
    assert validation.histories.shape == test.histories.shape == (0, 50, 2)
    assert test.targets.shape == (0,)


@pytest.mark.parametrize("function", [data.histories, data.leave_one_out])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"items": [1, -2, 3]}, "items must be from 1 to 2³¹ − 1, .* got values from -2 to 3"),
        ({"items": [1, 0, 3]}, "items must be from 1 .* as 0 is padding; got values from 0 to 3"),
        ({"items": [1, 2**31, 3]}, "items must be from 1 .* got values from 1 to 2147483648"),
        ({"items": ["a", "b", "c"]}, r"items must be integers .* got <U1: np\.unique\(items"),
        ({"items": [1.0, 2.0, 3.0]}, "items must be integers of at least 1, got float64"),
        ({"items": [1, 2]}, "items must be as many as users, 3, got 2"),
        ({"times": [1, 2]}, "times must be as many as users, 3, got 2"),
        ({"times": ["1", "2", "3"]}, "times must be numbers or dates, got <U1"),
        ({"times": [1, None, "x"]}, "times must be numbers or dates, got object"),
        ({"times": [1, np.nan, 2]}, "times must be finite, got NaN"),
        (
            {"times": np.array(["2026-01-01", "NaT", "NaT"], "datetime64[D]")},
            "times must be finite",
        ),
        ({"users": [1, np.nan, 2]}, "users must be finite"),
        ({"users": np.array([1, "a", 2], object)}, "all be numbers or all texts, got both"),
        ({"users": [[1], [1], [1]]}, r"users must be an array \(M,\), got the shape \(3, 1\)"),
        ({"users": [], "items": [], "times": []}, "must hold at least one, got none"),
        ({"users": [1, 2, 3]}, "users must have at least one with two items, got 3 with one each"),
        ({"features": {"f": [1, 0, 2]}}, r"features\['f'\] must be from 1 .* got values from 0"),
        ({"features": {"f": [1, 2]}}, r"features\['f'\] must be as many as users, 3, got 2"),
        ({"features": {"f": ["a", "b", "c"]}}, r"features\['f'\] must be integers"),
        ({"features": [[1, 2, 3]]}, "features must be a dictionary of arrays, got"),
        ({"length": 0}, "length must be at least"),
    ],
)
def test_interactions_that_do_not_fit_are_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(**{"users": [1, 1, 1], "items": [1, 2, 3], "times": [1, 2, 3], **arguments})


def test_numbers_out_of_range_are_named():
    for arguments, message in (
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"length": 3, "stride": 3}, "stride must be below length=3, got 3"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"held_out": -1}, "held_out must be at least 0, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 4, "drop_remainder": True}, "would drop all 1 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            data.histories([1, 1, 1], [1, 2, 3], [1, 2, 3], **arguments)
