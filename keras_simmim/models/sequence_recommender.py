"""A recommender: the next item of a history is the one that a mask hides behind it."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_simmim.backbones import Backbone
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.masking import Field, LastDraw, MaskGenerator, Spatial
from keras_simmim.models.newest_items import newest_items
from keras_simmim.models.simmim import SimMIM
from keras_simmim.models.token_inputs import padded

# Scores of so many histories and items are held at a time: 256 MB of float32.
_SCORES = 1 << 26


class Recommendations(NamedTuple):
    """Hold the best items of each history, best first.

    Args:
        items: int32 (N, k); 0 where a history left fewer.
        scores: float32 (N, k), before the softmax.
    """

    items: np.ndarray
    scores: np.ndarray


@keras.saving.register_keras_serializable("keras_simmim")
class SequenceRecommender(SimMIM):
    """Learn to name hidden items of histories, and recommend what comes next.

    Histories are rows of items, integers from 1, oldest first, padded with 0. In training, a share
    of them lose their last item, and the others items at random. Side features of a
    `SequenceTransformer` that has such are modalities of their own: an item loses all that is
    known of it, or one of its features.

    Args:
        backbone: a `SequenceTransformer`; `count_from="end"` suits histories.
        mask_generator: of the histories; if None, `Spatial` and a `Field` for each side feature,
            by `LastDraw`, with the next three arguments.
        ratio: share of the items to hide.
        last_share: share of the histories that lose their last item instead.
        apart: whether side features are hidden apart too; else items lose all or nothing.
        seed: 0 ≤ seed < 2³¹, of the masks.
        **options: of `SimMIM`.

    Raises:
        ValueError: for a backbone of images, or arguments out of range.

    Source: Sun et al., "BERT4Rec", CIKM 2019; "Self-supervised Modeling with Multi-modal Iterative
    Masking" for the modalities.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.SequenceTransformer(
        20, length=6, num_layers=1, num_heads=2, hidden_dim=8, count_from="end"
    )
    recommender = ks.SequenceRecommender(backbone)
    recommender.compile("adamw")
    recommender.fit(np.random.default_rng(0).integers(1, 20, (8, 6)), verbose=0)
    recommender.recommend([[3, 5], [7]], k=4).items.shape   # (2, 4)
    ```
    """

    def __init__(
        self,
        backbone: Backbone,
        mask_generator: MaskGenerator | None = None,
        ratio: float = 0.3,
        last_share: float = 0.3,
        apart: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if not backbone.takes_tokens:
            raise ValueError(
                "backbone must be one of tokens, such as SequenceTransformer, got "
                f"{type(backbone).__name__}."
            )
        if mask_generator is None:
            fields = len(backbone.fields) if apart else 1
            modalities = [Spatial(), *(Field(index, fields) for index in range(1, fields))]
            mask_generator = MaskGenerator(
                modalities, LastDraw(last_share, seed), ratio, block_size=1
            )
        super().__init__(backbone, mask_generator, **options)

    # ------------------------------------------------------------------- recommending

    def next_scores(self, tokens: Tensor) -> Tensor:
        """Score all items as the next one: float32 (B, V), −∞ for padding.

        Args:
            tokens: int32 (B, L) or (B, L, 1 + F), each history in front, with a place left.
        """
        valid: Any = self.backbone.valid(tokens)
        length = valid.shape[1]
        place = ops.cast(ops.sum(valid, axis=1, keepdims=True), "int32")
        is_next = ops.cast(ops.equal(ops.arange(length, dtype="int32"), place), "float32")
        features = self.backbone.stem(tokens)
        hidden: Any = ops.expand_dims(is_next, -1)
        token: Any = self.mask_token
        if token is None:
            token = ops.zeros((features.shape[-1],))
        features = ops.where(hidden > 0, ops.cast(token, features.dtype), features)
        encoded = self.backbone.encoder(features, training=False, valid=valid + is_next)
        last = ops.sum(encoded * ops.cast(hidden, encoded.dtype), axis=1)
        scores = self.head(last, self.backbone.tables)
        is_padding = ops.equal(ops.arange(scores.shape[-1], dtype="int32"), 0)
        return ops.where(is_padding, float("-inf"), scores)

    def scores(self, histories: Any, batch_size: int | None = None) -> np.ndarray:
        """Score all items as the next one of each history.

        Args:
            histories: lists of items, oldest first, or an array (N, l), 0 for padding; with side
                features (N, l, 1 + F). The newest L − 1 items count.
            batch_size: histories at a time.

        Returns:
            float32 (N, V), before the softmax; −∞ for padding, item 0.

        Raises:
            ValueError: for items that the recommender does not know.
        """
        tokens = self._with_place(histories)

        def next_scores(tokens: Tensor) -> Tensor:
            return self.next_scores(self.normalize(tokens))

        size = batch_size or self._batch_size
        return np.asarray(self.embedder.of_pixels(next_scores, tokens, size))

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        exclude_seen: bool = True,
        batch_size: int | None = None,
    ) -> Recommendations:
        """Name the k items that are most likely to come next, among all.

        An empty history gets what is likely at all.

        Args:
            histories: as for `scores`.
            k: number of items.
            exclude_seen: whether items of a history are left out, those too that are too old to
                count.
            batch_size: histories at a time.

        Returns:
            `Recommendations`: items (N, k) and scores (N, k), best first.

        Raises:
            ValueError: for items that the recommender does not know, or a `k` out of range.
        """
        size = self.backbone.target_shape[0]
        if not isinstance(k, int) or not 1 <= k < size:
            raise ValueError(f"k must be from 1 to {size - 1}, the items there are, got {k!r}.")
        rows = self._rows(histories)
        batch = batch_size or self._batch_size
        items, best = np.zeros((len(rows), k), "int32"), np.zeros((len(rows), k), "float32")
        for start in range(0, len(rows), batch):
            chunk = rows[start : start + batch]
            scores = self.scores(chunk, batch)
            if exclude_seen:
                for row, history in zip(scores, chunk, strict=True):
                    row[history if history.ndim == 1 else history[:, 0]] = -np.inf
            order = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            found = np.take_along_axis(scores, order, axis=1)
            # Of equal scores the item of the lower number comes first.
            inner = np.lexsort((order, -found), axis=1)
            order, found = (np.take_along_axis(each, inner, axis=1) for each in (order, found))
            stop = start + len(chunk)
            items[start:stop] = np.where(np.isfinite(found), order, 0)
            best[start:stop] = found
        return Recommendations(items, best)

    # ------------------------------------------------------------------- exporting

    @property
    def num_items(self) -> int:  # type: ignore[override]
        """Count the items, padding not among them."""
        return int(self.backbone.target_shape[0]) - 1

    @property
    def exported_input(self) -> keras.InputSpec:
        """Say what `exported` takes: int32 "histories" (B, l) or (B, l, 1 + F), of any l."""
        shape = (None, None, *self.backbone.example_shape[1:])
        return keras.InputSpec(shape=shape, dtype="int32", name="histories")

    def exported(self, images: Tensor, raw: bool = False) -> dict[str, Tensor]:
        """Give the "item_scores" (B, V) that `scores` gives, and what a `SimMIM` does.

        Args:
            images: histories, oldest first; wherever 0 stands, it is padding.
            raw: as for `BackboneModel.exported`.
        """
        length = self.backbone.example_shape[0]
        features = self.backbone.features(newest_items(images, length, length))
        scores = self.next_scores(newest_items(images, length - 1, length))
        return {**self.outputs(features), "item_scores": scores}

    @property
    def signatures(self) -> dict[str, tuple[str, ...]]:
        """Name what each signature of a served model answers with: see `export_saved_model`."""
        return {
            "serving_default": ("items", "scores"),
            "scores": ("item_scores",),
            "embed": ("embedding",),
        }

    # ------------------------------------------------------------------- histories

    @property
    def _batch_size(self) -> int:
        """Give how many histories are scored at a time."""
        return int(np.clip(_SCORES // self.backbone.target_shape[0], 1, 256))

    def _rows(self, histories: Any) -> list[np.ndarray]:
        """Return each history as an array of its items, without padding, all of them known."""
        if isinstance(histories, np.ndarray) and histories.ndim < 2:
            raise ValueError(
                "histories must be lists of items or an array (N, l), got one of shape "
                f"{histories.shape}: of one history, histories[None]."
            )
        fields = self.backbone.target_shape
        rows = []
        for history in histories:
            row = np.asarray(history)
            wanted = (0,) if len(fields) == 1 else (0, len(fields))
            row = row if row.size else np.zeros(wanted, "int32")
            if row.ndim != len(wanted) or row.shape[1:] != wanted[1:] or row.dtype.kind not in "iu":
                shape = "(l,)" if len(fields) == 1 else f"(l, {len(fields)})"
                raise ValueError(
                    f"histories must be integers {shape} each, got {row.dtype} of shape "
                    f"{row.shape}."
                )
            ids = row if row.ndim == 1 else row[:, 0]
            row = row[ids != 0]
            columns = row[:, None] if row.ndim == 1 else row
            if np.any(columns < 0) or np.any(columns >= np.asarray(fields)):
                raise ValueError(
                    f"histories must hold items from 1 to {fields[0] - 1}, got {columns.min()} to "
                    f"{columns[:, 0].max()}: of items that came later the recommender knows "
                    "nothing; leave them out, or train one with a larger vocabulary_size."
                )
            rows.append(row)
        return rows

    def _with_place(self, histories: Any) -> np.ndarray:
        """Put the newest items of each history in front of a row, with a place behind them."""
        shape = self.backbone.example_shape
        newest = [row[max(len(row) - shape[0] + 1, 0) :] for row in self._rows(histories)]
        return padded(newest, shape)

    # ------------------------------------------------------------------- training

    def before_fit(self, arguments: Config) -> None:
        """Put targets, where there are any, behind their histories, and look at the items.

        Args:
            arguments: of `fit`, by name.

        Raises:
            ValueError: for items that the backbone does not know.
        """
        if arguments["y"] is not None:
            arguments["x"] = self.with_targets(arguments["x"], arguments["y"])
            arguments["y"] = None
        validation_data = arguments["validation_data"]
        if isinstance(validation_data, tuple | list) and len(validation_data) == 2:
            arguments["validation_data"] = (self.with_targets(*validation_data),)
        super().before_fit(arguments)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, targets (N,) put behind their histories."""
        if y is not None:
            x, y = self.with_targets(x, y), None
        return super().evaluate(x, y, *args, **kwargs)

    def with_targets(self, histories: Any, targets: Any) -> np.ndarray:
        """Put a target behind each history: int32 (N, L), the newest L items.

        Args:
            histories: as for `scores`.
            targets: items (N,), or (N, 1 + F) with their side features.

        Raises:
            ValueError: for another number of targets.
        """
        rows, ends = self._rows(histories), np.asarray(targets)
        if len(ends) != len(rows):
            raise ValueError(
                f"targets must be one for each of {len(rows)} histories, got {len(ends)}."
            )
        shape = self.backbone.example_shape
        if ends.shape[1:] != shape[1:]:
            # Nothing is known of a target but which it is.
            ends = np.concatenate(
                [ends[:, None], np.zeros((len(ends), shape[1] - 1), ends.dtype)], axis=1
            )
        pairs = zip(rows, ends, strict=True)
        return padded([np.concatenate([row, end[None]]) for row, end in pairs], shape)
