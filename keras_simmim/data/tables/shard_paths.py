"""Paths, patterns, ranges in braces and addresses to the files that they mean."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from keras_simmim.data import arguments
from keras_simmim.data.tables.download import downloaded, is_address

MOST = 1_000_000  # files of a pattern
BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")


def shard_paths(name: str, value: Any, cache: str) -> list[str]:
    """Return the files that an argument names; what has an address is downloaded once.

    Args:
        name: of the argument.
        value: a path, a pattern of `glob`, an address of http or https, any of these with ranges or
            alternatives in braces, such as "{0000..0009}" or "{a,b}", or a list of all that.
        cache: folder of what was downloaded.

    Returns:
        The paths, those of a pattern sorted, otherwise in the order in which they are named.

    Raises:
        FileNotFoundError: if a file or an address is not there, or a pattern fits none.
        IsADirectoryError: for a folder.
        OSError: if a download fails.
        ValueError: if nothing is named, a file is named twice, or a range is no range.
        TypeError: if it is anything else.
    """
    is_one = isinstance(value, str | os.PathLike)
    if not is_one and not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a path, a pattern, or a list of these, got {value!r}.")
    named = [arguments.as_path(name, each) for each in ([value] if is_one else value)]
    expanded = [each for one in named for each in _expanded(name, one)]
    if not expanded:
        raise ValueError(f"{name} must name at least one file, got {value!r}.")
    missing = [each for each in expanded if not is_address(each) and not _matches(each)]
    if missing:
        raise FileNotFoundError(
            f"{name} names {len(missing)} of {len(expanded)} files that are not there, first "
            f"{missing[0]!r}."
        )
    paths = []
    for each in expanded:
        paths += [downloaded(each, cache)] if is_address(each) else _matches(each)
    if folder := next((path for path in paths if os.path.isdir(path)), None):
        raise IsADirectoryError(
            f"{name} must be files, got the folder {folder!r}; name what is in it."
        )
    twice, times = Counter(paths).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{name} must name each file once, got {twice!r} {times} times.")
    return paths


def _matches(path: str) -> list[str]:
    """Return a path that is there, or those that fit a pattern, sorted."""
    return [path] if os.path.exists(path) else sorted(glob.glob(path, recursive=True))


def _expanded(name: str, text: str) -> Iterator[str]:
    """Yield what a text with braces stands for, as in bash: the last braces change fastest."""
    found = BRACES.search(text)
    if found is None or os.path.exists(text):
        yield text
        return
    for part in _alternatives(name, found[1]):
        for rest in _expanded(name, text[found.end() :]):
            yield text[: found.start()] + part + rest


def _alternatives(name: str, inner: str) -> list[str]:
    """Return the numbers of a range, as wide as its first, or the parts between commas."""
    ends = RANGE.fullmatch(inner)
    if ends is None:
        if "," not in inner:
            raise ValueError(
                f"{name} must have ranges such as {{0000..0009}} in braces, got {{{inner}}}."
            )
        return inner.split(",")
    first, last = int(ends[1]), int(ends[2])
    if not first <= last < first + MOST:
        raise ValueError(
            f"{name} must have ranges that rise, by less than {MOST:,}, got {{{inner}}}."
        )
    return [str(number).zfill(len(ends[1])) for number in range(first, last + 1)]
