"""What all tokenizers share: padding, checks, files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from keras_simmim.data import arguments
from keras_simmim.data.text.given_texts import given_texts
from keras_simmim.data.text.padded import padded

# Texts encoded at a time: what `tokenizers` returns of one is large.
_AT_A_TIME = 4096


class TextEncoder:
    """Turn texts into ids, and ids into texts. Id 0 is padding."""

    @property
    def vocabulary_size(self) -> int | None:
        """Return the number of ids, padding included; None where nobody said it."""
        raise NotImplementedError

    def ids_of(self, texts: list[str]) -> list[Sequence[int]]:
        """Return the ids of some texts, unchecked.

        Args:
            texts: strings.
        """
        raise NotImplementedError

    def texts_of(self, ids: list[list[int]]) -> list[str]:
        """Return the texts of lists of ids without padding.

        Args:
            ids: the lists.
        """
        raise NotImplementedError

    def file_content(self) -> str:
        """Return what `save` writes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        raise NotImplementedError

    def __call__(self, texts: Any, length: int) -> np.ndarray:
        """Return the first ids of texts, padded with 0 on the right.

        An empty text is a row of padding.

        Args:
            texts: an iterable of N strings.
            length: ids of each row, L.

        Returns:
            int32 (N, L).

        Raises:
            ValueError: for what is no text, or an id that is no id of a token.
        """
        length = arguments.as_integer("length", length, minimum=1)
        return padded(self.encode(texts), length)

    def encode(self, texts: Any) -> list[np.ndarray]:
        """Return the ids of texts, all of them and nothing else.

        Args:
            texts: an iterable of N strings.

        Returns:
            N arrays, int32 (n,).

        Raises:
            ValueError: as `__call__`.
        """
        given = list(given_texts(texts))
        ids: list[np.ndarray] = []
        for start in range(0, len(given), _AT_A_TIME):
            part = given[start : start + _AT_A_TIME]
            for text, own in zip(part, self.ids_of(part), strict=True):
                ids.append(_checked_ids(own, text))
        return ids

    def decode(self, ids: Any) -> Any:
        """Return the text of ids without their padding and the white space around it.

        Args:
            ids: integers (L,) or (N, L).

        Returns:
            A string, or a list of N.

        Raises:
            ValueError: for ids that are not in the vocabulary.
        """
        rows = np.asarray(keras.ops.convert_to_numpy(ids))
        if rows.ndim not in (1, 2) or rows.dtype.kind not in "iu":
            raise ValueError(
                f"ids must be integers (L,) or (N, L), got {rows.dtype} of shape {rows.shape}."
            )
        size = self.vocabulary_size
        if rows.size and (rows.min() < 0 or (size is not None and rows.max() >= size)):
            raise ValueError(
                f"ids must be from 0 to {'…' if size is None else size - 1}, got values from "
                f"{rows.min()} to {rows.max()}."
            )
        texts = self.texts_of([row[row != 0].tolist() for row in np.atleast_2d(rows)])
        return texts if rows.ndim == 2 else texts[0]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file, which `Tokenizer.load` reads, and `tokenizers` too.

        Args:
            path: of the file.
        """
        place = Path(arguments.as_path("path", path))
        content = self.file_content()
        aside = place.with_name(f".{place.name}.part")
        aside.write_text(content, encoding="utf-8")
        os.replace(aside, place)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the tokenizer of a `get_config`.

        Args:
            config: the dictionary.
        """
        return cls(**config)


def _checked_ids(ids: Any, text: str) -> np.ndarray:
    """Return the ids of a text as int32 (n,), none of which is that of padding."""
    own = np.asarray(ids)
    if own.size == 0:
        return np.zeros(0, np.int32)
    if own.ndim != 1 or own.dtype.kind not in "iu":
        raise ValueError(
            f"tokenizer must give a list of integers for a text, got {ids!r:.60} for {text!r:.40}."
        )
    if own.min() < 1 or own.max() >= 2**31:
        raise ValueError(
            "tokenizer must give ids from 1 to 2³¹ − 1, as 0 is padding; got ids from "
            f"{own.min()} to {own.max()} for {text!r:.40}."
        )
    return own.astype(np.int32)
