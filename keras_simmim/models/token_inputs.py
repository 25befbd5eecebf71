"""What a model of sequences does with its inputs: texts become tokens, tokens are checked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from keras_simmim.backend.types import Config
from keras_simmim.data.pipeline.origin import origin
from keras_simmim.data.text.as_tokenizer import as_tokenizer
from keras_simmim.layers.fitting_tokens import FittingTokens, check_token_sizes, check_tokens


class TokenInputs:
    """Take tokens (B, l), with side features (B, l, 1 + F), or texts where there is a tokenizer.

    Args:
        backbone: whose tokens they are.
        mean: None, as tokens have none.
        std: likewise.
        tokenizer: a `ks.data.Tokenizer`, any function from a text to a list of ids, or None.
        value_range: None, as tokens have none.
        channel_names: likewise.

    Raises:
        ValueError: for a mean, std, range or names of channels, or a tokenizer that is none.
    """

    # Of the symbolic inputs of functional models.
    name = "tokens"
    dtype = "int32"
    # Of a served model, where none takes files.
    array_signatures = ()

    def __init__(
        self,
        backbone: Any,
        mean: Any,
        std: Any,
        tokenizer: Any,
        value_range: Any = None,
        channel_names: Any = None,
    ) -> None:
        given = {"mean": mean, "std": std}
        given |= {"value_range": value_range, "channel_names": channel_names}
        for argument, value in given.items():
            if value is not None:
                raise ValueError(f"{argument} must be None for tokens, got {value!r}.")
        self.mean = self.std = self.value_range = self.channel_names = None
        self.shape = backbone.example_shape
        self.sizes = tuple(backbone.fields.values())
        self.tokenizer: Any = None
        self.take(as_tokenizer(tokenizer))
        self.layer = FittingTokens(self.shape, name="normalize")

    @property
    def config(self) -> Config:
        """Give the constructor's arguments of the model that say how inputs are taken."""
        return {"tokenizer": keras.saving.serialize_keras_object(self.tokenizer)}

    @property
    def arguments(self) -> Config:
        """Give the same for another model around the same backbone."""
        return {"tokenizer": self.tokenizer}

    def take(self, tokenizer: Any) -> None:
        """Keep a tokenizer, if it has no more tokens than the backbone.

        Raises:
            ValueError: for more.
        """
        size = None if tokenizer is None else tokenizer.vocabulary_size
        if size is not None and size > self.sizes[0]:
            raise ValueError(
                f"tokenizer has {size} tokens, but the backbone's vocabulary_size is "
                f"{self.sizes[0]}: build the backbone with vocabulary_size={size}."
            )
        self.tokenizer = tokenizer

    @contextmanager
    def without_tokenizer(self) -> Iterator[None]:
        """Let the model be saved without its tokenizer, which other programs may not know."""
        kept, self.tokenizer = self.tokenizer, None
        try:
            yield
        finally:
            self.tokenizer = kept

    def as_inputs(self, data: Any) -> Any:
        """Return texts as tokens, lists of histories padded with 0, and other data as it is.

        Raises:
            ValueError: for texts without a tokenizer.
        """
        if isinstance(data, str):
            raise ValueError(f"texts must be a list of strings, got one string, {data!r:.40}.")
        if isinstance(data, list | tuple) and data and isinstance(data[0], list | np.ndarray):
            return padded(data, self.shape)
        if isinstance(data, list):
            data = np.asarray(data)
        if not isinstance(data, np.ndarray):
            return data
        if data.dtype.kind not in "OUST":
            return self._filled(data)
        if self.tokenizer is None:
            raise ValueError(
                "texts need a tokenizer, and the model has none: give it tokenizer=…, fit it on "
                "ks.data.texts(texts, tokenizer), or give tokens, integers (N, L)."
            )
        tokenizer: Any = self.tokenizer
        return tokenizer(data.tolist(), self.shape[0])

    def _filled(self, tokens: np.ndarray) -> np.ndarray:
        """Pad tokens (N, l) with l < L to (N, L), so that one compiled step is enough."""
        missing = self.shape[0] - tokens.shape[1] if tokens.ndim > 1 else 0
        if missing <= 0:
            return tokens
        return np.pad(tokens, [(0, 0), (0, missing), *[(0, 0)] * (tokens.ndim - 2)])

    def check_sizes(self, sizes: tuple[int | None, ...]) -> None:
        """Raise ValueError for a batch of other sizes than the backbone's."""
        check_token_sizes(sizes, self.shape)
        if sizes[1] not in (None, self.shape[0]):
            raise ValueError(
                f"tokens must be {self.shape[0]} in a row, 0 behind shorter sequences, got "
                f"{tuple(sizes)}: read them with length={self.shape[0]}."
            )

    def check(self, data: Any, name: str) -> None:
        """Raise ValueError for an array that is no tokens; of a data set its first batch counts."""
        if isinstance(data, np.ndarray):
            check_tokens(data, self.sizes, self.shape, name)
        elif hasattr(data, "element_spec"):
            for batch in data.take(1).as_numpy_iterator():
                tokens = batch[0] if isinstance(batch, tuple) else batch
                check_tokens(tokens, self.sizes, self.shape, f"the first batch of {name}")

    def check_origin(self, data: Any, name: str) -> None:
        """Look at nothing: what the data set says of its tokens is their own numbers."""

    def before_fit(self, data: Any) -> None:
        """Take the tokenizer of a data set, if the model has none."""
        found = origin(data, "tokenizer")
        if self.tokenizer is None and found is not None:
            self.take(found)


def padded(rows: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Put lists of tokens of different lengths into one array, the last L of each.

    Args:
        rows: N lists of integers, or of lists of 1 + F of them.
        shape: (L,) or (L, 1 + F).

    Returns:
        int32 (N, L) or (N, L, 1 + F), 0 behind the end of each list.
    """
    values = np.zeros((len(rows), *shape), "int32")
    for index, row in enumerate(rows):
        kept = np.asarray(row)[-shape[0] :]
        if kept.size:
            values[index, : len(kept)] = kept
    return values
