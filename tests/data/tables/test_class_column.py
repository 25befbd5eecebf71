"""Numbers and names of classes, as shards hold them."""

import pytest

from keras_simmim.data.tables.class_column import class_column

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize(
    ("values", "names", "expected"),
    [
        ([2, None, 0], None, ([2, -1, 0], None)),
        ([-1, 1], ["a", "b"], ([-1, 1], ["a", "b"])),
        (["b", "a", None, "b"], None, ([1, 0, -1, 1], ["a", "b"])),
        (["b", "a"], ["b", "c", "a"], ([0, 2], ["b", "c", "a"])),
        ([True, False], None, ([1, 0], None)),
        ([None, None], None, (None, None)),
        ([], None, (None, None)),
    ],
)
def test_classes(values, names, expected):
    assert class_column(values, names) == expected


@pytest.mark.parametrize(
    ("values", "names", "match"),
    [
        ([1, "a"], None, "all numbers or all names, got 'a' and 1"),
        ([0.0, 1], None, "must be integers or names, got 0.0"),
        ([-2], None, "from −1, which is none, to 2147483647, below 2³¹, got -2"),
        ([2], ["a", "b"], "to 1, the last of class_names, got 2"),
        (["a", "z"], ["a"], r"class_names must hold all labels, got \['a'\] without \['z'\]"),
        ([None], ["a"], r"class_names needs labels, got \['a'\] without them"),
        ([1], ["a", "a"], "class_names must be different"),
    ],
)
def test_what_is_no_class_is_refused(values, names, match):
    with pytest.raises(ValueError, match=match):
        class_column(values, names)
