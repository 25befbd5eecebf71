"""The transformer of sequences: texts as words, histories as items."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_simmim.backbones.backbone import Backbone
from keras_simmim.backbones.sequence_encoder import SequenceEncoder
from keras_simmim.backbones.sizes import check_sizes
from keras_simmim.backbones.token_stem import TokenStem
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.fitting_tokens import check_token_sizes


class SequenceFeatures(NamedTuple):
    """Hold features (B, L, D), and what of them is no padding: float32 (B, L)."""

    features: Tensor
    valid: Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class SequenceTransformer(Backbone):
    """Look tokens up in a table, and transform them among those that are no padding.

    Tokens are integers from 1; 0 is padding, wherever it stands. Masks fall between table and
    transformer, as they do between a ViT's patches and its blocks.

    Args:
        vocabulary_size: number of tokens, padding among them: tokens are from 0 to one less.
        length: longest sequence L; shorter ones are taken too.
        num_layers: number of transformer blocks.
        num_heads: attention heads; must divide `hidden_dim`.
        hidden_dim: width D of the features.
        mlp_dim: width of the blocks' perceptrons; 4·hidden_dim if None.
        side_features: names of what else is known of each token, such as an item's category, with
            how many values each has, padding among them. Inputs are then (B, L, 1 + F), the token
            first; the vectors of all fields are added.
        count_from: "start" or "end", from where positions are numbered; from the end, the newest
            items of histories have the same positions, however long they are.
        drop_path_rate: probability that an example skips a branch of the last block in training;
            it rises from 0 in the first.
        final_norm: whether a layer norm follows the last block.
        epsilon: of the layer norms.
        seed: of what is skipped.
        **kwargs: passed to `keras.Model`.

    Raises:
        ValueError: for sizes that are no positive integers, or that do not go together.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, with its norms in front of
    the branches; the blocks are those of `ViT`.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.SequenceTransformer(
        100, length=8, num_layers=1, num_heads=2, hidden_dim=16
    )
    features = backbone(np.array([[5, 9, 3, 0, 0, 0, 0, 0]]))
    features.shape   # (1, 8, 16)
    ```
    """

    takes_tokens = True

    def __init__(
        self,
        vocabulary_size: int,
        length: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        hidden_dim: int = 128,
        mlp_dim: int | None = None,
        side_features: Mapping[str, int] | None = None,
        count_from: str = "start",
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        epsilon: float = 1e-6,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        mlp_dim = 4 * hidden_dim if mlp_dim is None else mlp_dim
        fields = {"token": vocabulary_size, **(side_features or {})}
        check_sizes(
            vocabulary_size=vocabulary_size,
            length=length,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            mlp_dim=mlp_dim,
        )
        for name, size in fields.items():
            if not isinstance(size, int) or size < 2:
                what = "vocabulary_size" if name == "token" else f"side_features[{name!r}]"
                raise ValueError(
                    f"{what} must be an integer of at least 2, padding and a value, got {size!r}."
                )
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads={num_heads} must divide hidden_dim={hidden_dim}.")
        if count_from not in ("start", "end"):
            raise ValueError(f"count_from must be 'start' or 'end', got {count_from!r}.")
        dtype = kwargs.get("dtype")
        options: Config = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "mlp_dim": mlp_dim,
            "length": length,
            "count_from": count_from,
            "drop_path_rate": drop_path_rate,
            "final_norm": final_norm,
            "epsilon": epsilon,
            "seed": seed,
        }
        stem = TokenStem(tuple(fields.values()), hidden_dim, name="stem", dtype=dtype)
        encoder = SequenceEncoder(**options, name="encoder", dtype=dtype)
        shape = (length,) if len(fields) == 1 else (length, len(fields))
        super().__init__(shape, stem, encoder, **kwargs)
        own = {"vocabulary_size": vocabulary_size, "side_features": dict(side_features or {})}
        self.options = {**options, **own}

    # ------------------------------------------------------------- what the network says of itself

    def check_shape(self, shape: Any) -> tuple[int, ...]:
        """Return the shape (L,) or (L, 1 + F) of one sequence."""
        return tuple(shape)

    @property
    def stages(self) -> list[tuple[int, int]]:
        """List (stride, channels) of the features: there is one scale."""
        return [(1, self.feature_shape[-1])]

    @property
    def patch_size(self) -> int:
        """Give the length of a position behind the stem, in tokens."""
        return 1

    @property
    def fields(self) -> dict[str, int]:
        """Name the fields, "token" first, with how many values each has, padding among them."""
        return {"token": self.options["vocabulary_size"], **self.options["side_features"]}

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Give how many values each field has."""
        return tuple(self.fields.values())

    @property
    def tables(self) -> list[keras.Variable]:
        """List the tables (size, D) of the fields, which heads may share."""
        return list(self.stem.tables)

    def weights_by_depth(self) -> list[list[keras.Variable]]:
        """List the weights of tables and positions, and then those of each block."""
        stem = [*self.stem.weights, self.encoder.position_embedding]
        return [stem, *self.encoder.weights_by_block()]

    def task_changes(self) -> Config:
        """Leave out the last norm: the task's head has its own."""
        return {"final_norm": False}

    def shape_config(self, shape: Any) -> Config:
        """Give the constructor's argument that says the length of a sequence."""
        return {"length": shape if isinstance(shape, int) else shape[0]}

    # -------------------------------------------------------------------------- what it computes

    def call(  # type: ignore[override]
        self, tokens: Tensor, training: bool | None = None
    ) -> Tensor:
        """Return features (B, l, D), 0 at padding, of tokens (B, l) or (B, l, 1 + F), l ≤ L.

        Raises:
            ValueError: for tokens of another shape.
        """
        check_token_sizes(tuple(tokens.shape), self.example_shape)
        tokens = ops.cast(tokens, "int32")
        return self.encoder(self.stem(tokens), training=training, valid=self.valid(tokens))

    def valid(self, inputs: Tensor) -> Tensor:
        """Tell where tokens are, and no padding: float32 (B, l)."""
        tokens = inputs if len(self.example_shape) == 1 else inputs[..., 0]
        return ops.cast(ops.not_equal(tokens, 0), "float32")

    def with_valid(self, features: Tensor, valid: Tensor | None) -> SequenceFeatures:
        """Give features and what of them is valid together."""
        return SequenceFeatures(
            features, ops.ones_like(features[..., 0]) if valid is None else valid
        )

    def pool(self, features: SequenceFeatures) -> Tensor:
        """Average features over what is no padding: float32 (B, D), 0 of padding alone."""
        values = ops.cast(features.features, "float32")
        valid = ops.expand_dims(ops.cast(features.valid, "float32"), -1)
        return ops.sum(values * valid, axis=1) / ops.maximum(ops.sum(valid, axis=1), 1.0)

    def block_outputs(self, tokens: Tensor, training: bool | None = None) -> list[Any]:
        """Return the features after every block, as `pool` takes them, the last one normed."""
        check_token_sizes(tuple(tokens.shape), self.example_shape)
        tokens = ops.cast(tokens, "int32")
        valid = self.valid(tokens)
        outputs = self.encoder(self.stem(tokens), training=training, all_blocks=True, valid=valid)
        return [self.with_valid(each, valid) for each in outputs]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, l, D)."""
        return (*input_shape[:2], self.feature_shape[-1])

    def get_config(self) -> Config:
        """Return the constructor's arguments, and which layers do not learn."""
        config = super().get_config()
        del config["image_shape"]
        return {**config, **self.options}
