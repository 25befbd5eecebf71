"""Labels as shards hold them, numbers or names, to numbers of classes."""

from collections.abc import Sequence
from typing import NamedTuple

from keras_simmim.data import arguments
from keras_simmim.data.target_values import UNLABELED

MOST = 2**31 - 1


class ClassColumn(NamedTuple):
    """Hold the class of each image.

    Attributes:
        classes: numbers, −1 for an image without a label; None if no image has one.
        class_names: in the order of the numbers, None where there are none.
    """

    classes: list[int] | None
    class_names: list[str] | None


def class_column(
    values: Sequence[int | str | None], class_names: Sequence[str] | None
) -> ClassColumn:
    """Turn the labels of images into numbers of classes.

    Args:
        values: a label for each image: its number, or its class' name; None for none.
        class_names: names in the order of their numbers; None: of names that are labels, sorted.

    Returns:
        The classes.

    Raises:
        ValueError: for numbers and names side by side, or anything else, numbers below −1 or
            without a name, names that `class_names` lacks, or `class_names` without labels.
        TypeError: if `class_names` are no texts.
    """
    names = None if class_names is None else arguments.as_names("class_names", class_names)
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        if names is not None:
            raise ValueError(f"class_names needs labels, got {names!r} without them.")
        return ClassColumn(None, None)
    if others := [value for value in values if not isinstance(value, int | str | None)]:
        raise ValueError(f"labels must be integers or names, got {others[0]!r}.")
    if str in kinds and len(kinds) > 1:
        first = {kind: next(v for v in values if type(v) is kind) for kind in kinds}
        raise ValueError(
            "labels must be all numbers or all names, got "
            f"{' and '.join(sorted(repr(value) for value in first.values()))}."
        )
    if str in kinds:
        found = sorted({value for value in values if isinstance(value, str)})
        names = found if names is None else names
        numbers = {name: number for number, name in enumerate(names)}
        if missing := [name for name in found if name not in numbers]:
            raise ValueError(f"class_names must hold all labels, got {names!r} without {missing!r}")
        return ClassColumn(
            [UNLABELED if value is None else numbers[str(value)] for value in values], names
        )
    classes = [UNLABELED if value is None else int(value) for value in values]
    highest = MOST if names is None else len(names) - 1
    for value in (min(classes), max(classes)):
        if not UNLABELED <= value <= highest:
            raise ValueError(
                f"labels must be from −1, which is none, to {highest}, "
                f"{'below 2³¹' if names is None else 'the last of class_names'}, got {value}."
            )
    return ClassColumn(classes, names)
