"""Checks of texts that a user gives."""

from collections.abc import Iterable, Iterator
from typing import Any


def given_texts(texts: Any, name: str = "texts") -> Iterator[str]:
    """Yield each text as a string.

    Args:
        texts: an iterable of strings, or of bytes in UTF-8.
        name: what errors call them.

    Raises:
        ValueError: for one single string, what cannot be iterated over, or an element that is no
            text; the latter as soon as it is met.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        shown = repr(texts)
        raise ValueError(
            f"{name} must be strings in a list or another iterable, got "
            f"{type(texts).__name__} {shown[:40]}{'…' if len(shown) > 40 else ''}."
        )
    return _checked(texts, name)


def _checked(texts: Iterable[Any], name: str) -> Iterator[str]:
    for number, text in enumerate(texts):
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{name} must be strings, or bytes in UTF-8; number {number} is neither."
                ) from error
        if not isinstance(text, str):
            raise ValueError(f"{name} must be strings; number {number} is {text!r:.40}.")
        yield text
