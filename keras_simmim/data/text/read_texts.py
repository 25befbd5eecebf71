"""Texts and their classes from memory, a CSV file or a folder."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_simmim.data import arguments
from keras_simmim.data.sources.files_under import files_under
from keras_simmim.data.text.given_texts import given_texts


class TextListing(NamedTuple):
    """Hold texts and what belongs to them.

    Attributes:
        texts: the strings.
        labels: int32 (N,), −1 for none; None without labels.
        class_names: names of the labels, or None.
        file_paths: of the text files, or None.
    """

    texts: list[str]
    labels: np.ndarray | None = None
    class_names: list[str] | None = None
    file_paths: list[str] | None = None


def is_path(texts: Any) -> bool:
    """Tell whether texts are given by a path."""
    return isinstance(texts, str | os.PathLike)


def read_texts(
    texts: Any,
    *,
    labels: Any = None,
    column: str | None = None,
    label_column: str | None = None,
    class_names: Sequence[str] | None = None,
) -> TextListing:
    """Read texts, as `ks.data.texts` describes it.

    Args:
        texts: strings, or the path of a CSV file or of a folder.
        labels: integers (N,), "auto" for the sub-folders of a folder, or None.
        column: of the CSV file's texts.
        label_column: of its labels.
        class_names: the classes in the order of their labels.

    Returns:
        The texts.

    Raises:
        FileNotFoundError: if there is nothing at a path.
        ValueError: for what is no text, no label, or does not fit.
    """
    names = None if class_names is None else arguments.as_names("class_names", class_names)
    if isinstance(labels, str) and labels != "auto":
        raise ValueError(f"labels must be 'auto', None or integers, got {labels!r}.")
    place = os.fsdecode(texts) if is_path(texts) else None
    if place is not None and not os.path.exists(place):
        raise FileNotFoundError(
            "texts must be a list of strings, or the path of a CSV file or folder; found nothing "
            f"at {place!r}. A single text goes into a list."
        )
    is_folder = place is not None and os.path.isdir(place)
    if (column is None) != (place is None or is_folder):
        raise ValueError(
            "column must be the name of the texts' column where texts is the path of a CSV file, "
            f"and only there; got column={column!r}."
        )
    if label_column is not None and (column is None or labels not in (None, "auto")):
        raise ValueError(
            "label_column must name a column of a CSV file, without labels beside it, got "
            f"{label_column!r}."
        )
    if place is None:
        found = TextListing(list(given_texts(texts)))
    elif is_folder:
        found = _in_folder(place, isinstance(labels, str), names)
    else:
        found = _in_table(place, str(column), label_column, names)
    if not found.texts:
        raise ValueError("texts must be at least one, got none.")
    if labels is not None and not isinstance(labels, str):
        found = found._replace(labels=checked_labels(labels, len(found.texts)))
    if found.class_names is None and names is not None:
        if found.labels is None:
            raise ValueError(f"class_names need labels, got {names!r} without any.")
        _check_named(found.labels, names)
        found = found._replace(class_names=names)
    return found


def checked_labels(labels: Any, count: int) -> np.ndarray:
    """Return labels as int32 (count,), −1 for none.

    Args:
        labels: integers.
        count: of the texts.

    Raises:
        ValueError: for other labels.
    """
    classes = np.asarray(labels)
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be {count} integers, one for each text, got {classes.dtype} of shape "
            f"{classes.shape}."
        )
    if classes.min() < -1:
        raise ValueError(
            f"labels must be at least 0, or -1 for a text without one, got {classes.min()}."
        )
    return classes.astype(np.int32)


def _check_named(labels: np.ndarray, names: list[str]) -> None:
    if labels.max() >= len(names):
        raise ValueError(
            f"labels must be below {len(names)}, the number of class_names, got {labels.max()}."
        )


def _in_folder(path: str, labeled: bool, names: list[str] | None) -> TextListing:
    """Return the texts of the files of a folder, sorted by path."""
    unreadable: dict[str, str] = {}
    everything = files_under(path, unreadable)
    files = [file for file in everything if file.lower().endswith(".txt")]
    if unreadable:
        folder, reason = next(iter(unreadable.items()))
        raise ValueError(f"texts must be a folder that can be read, got {folder!r}: {reason}.")
    if not files:
        raise ValueError(
            f"texts must be a folder with .txt files, found {len(everything)} files under "
            f"{path!r}, none of them such a one."
        )
    parts = [os.path.relpath(file, path).split(os.sep) for file in files]
    direct = sum(len(part) == 1 for part in parts)
    contents = [_content(file) for file in files]
    if not labeled or direct == len(files):
        return TextListing(contents, file_paths=files)
    if direct:
        raise ValueError(
            f"texts {path!r} holds {direct} files beside its sub-folders and "
            f"{len(files) - direct} in them: pass labels=None to take all without labels."
        )
    folders = [part[0] for part in parts]
    classes, names = _numbers_of(folders, names, f"folders with texts in {path!r}")
    return TextListing(contents, classes, names, files)


def _content(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"texts must be files in UTF-8, {file!r} is not: {error}.") from error


def _in_table(
    path: str, column: str, label_column: str | None, names: list[str] | None
) -> TextListing:
    """Return the texts, and the labels, of columns of a file."""
    delimiter = "\t" if path.lower().endswith(".tsv") else ","
    wanted = [column] if label_column is None else [column, label_column]
    rows: list[list[str]] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter=delimiter)
            columns = table.fieldnames or []
            for argument, name in zip(("column", "label_column"), wanted, strict=False):
                if name not in columns:
                    raise ValueError(
                        f"{argument} must be one of the columns of {path!r}, {list(columns)}, got "
                        f"{name!r}."
                    )
            for record in table:
                if any(record[name] is None for name in wanted):
                    raise ValueError(
                        f"texts must have {len(columns)} columns in every line; line "
                        f"{table.line_num} of {path!r} has fewer."
                    )
                rows.append([record[name] for name in wanted])
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"texts must be a CSV file in UTF-8, {path!r} is not: {error}.") from error
    texts = [row[0] for row in rows]
    if label_column is None:
        return TextListing(texts)
    values = [row[1].strip() for row in rows]
    what = f"values of the column {label_column!r} of {path!r}"
    labels = None if names is not None else _whole_numbers(values, what)
    if labels is not None:
        return TextListing(texts, labels)
    classes, names = _numbers_of(values, names, what)
    return TextListing(texts, classes, names)


def _whole_numbers(values: list[str], what: str) -> np.ndarray | None:
    """Return the labels that texts write, −1 for an empty one; None if they are names."""
    try:
        numbers = np.array([float(value) if value else -1.0 for value in values])
    except ValueError:
        return None
    # Whoever saves a column of integers with gaps in it may have written 1.0.
    if not np.all(np.isfinite(numbers) & (numbers == np.floor(numbers))):
        raise ValueError(f"{what} must be whole numbers or names of classes, got {values[:5]}.")
    return checked_labels(numbers.astype(np.int64), len(values)) if values else None


def _numbers_of(
    values: list[str], names: list[str] | None, what: str
) -> tuple[np.ndarray, list[str]]:
    """Return the places of values among the names, or among themselves, sorted; −1 for none."""
    found = sorted({value for value in values if value})
    known = found if names is None else names
    if missing := [value for value in found if value not in known]:
        raise ValueError(f"class_names must hold all {what}, got {known!r} without {missing!r}.")
    index = {name: number for number, name in enumerate(known)}
    return np.array([index.get(value, -1) for value in values], np.int32), known
