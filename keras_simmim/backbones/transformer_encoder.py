"""The second half of a vision transformer: positions, then transformer blocks."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backbones.block_fusion import BlockFusion
from keras_simmim.backend import kernels
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.relative_position_bias import RelativePositionBias
from keras_simmim.layers.stochastic_depth import StochasticDepth
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("keras_simmim")
class TransformerEncoder(keras.layers.Layer):
    """Add positions to patch embeddings (B, h, w, D) and run transformer blocks over them.

    Positions come after the mask token has taken a patch's place, so that a hidden patch still
    knows where it is. A class token takes part in the attention and is left out of the features.

    Args:
        num_layers: number of blocks.
        num_heads: attention heads of each block.
        mlp_dim: width of each block's perceptron.
        epsilon: of the layer norms.
        position_embedding: whether to add a learned vector to each position.
        relative_position_bias: "shared" for one table in all blocks, "block" for one a block, or
            None.
        class_token: whether a class token stands before the patches.
        query_key_value_bias: see `TransformerBlock`.
        layer_scale: see `TransformerBlock`.
        drop_path_rate: see `StochasticDepth`.
        final_norm: whether a layer norm follows the last block.
        official_initialization: whether weights start as in the official SimMIM.
        seed: of the stochastic depth.
        fused_blocks: numbers of blocks, from 1 and rising, whose outputs `BlockFusion` adds to
            the last one's before the norm; none if empty.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: for arguments out of range.
    """

    def __init__(
        self,
        num_layers: int,
        num_heads: int,
        mlp_dim: int,
        epsilon: float = 1e-6,
        position_embedding: bool = True,
        relative_position_bias: str | None = None,
        class_token: bool = False,
        query_key_value_bias: str = "all",
        layer_scale: float | None = None,
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        official_initialization: bool = False,
        seed: int = 0,
        fused_blocks: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        fused_blocks = _check_fused_blocks(fused_blocks, num_layers)
        if relative_position_bias not in (None, "shared", "block"):
            raise ValueError(
                "relative_position_bias must be None, 'shared' or 'block', "
                f"got {relative_position_bias!r}."
            )
        self.options: Config = {
            "num_layers": num_layers,
            "num_heads": num_heads,
            "mlp_dim": mlp_dim,
            "epsilon": epsilon,
            "position_embedding": position_embedding,
            "relative_position_bias": relative_position_bias,
            "class_token": class_token,
            "query_key_value_bias": query_key_value_bias,
            "layer_scale": layer_scale,
            "drop_path_rate": drop_path_rate,
            "final_norm": final_norm,
            "official_initialization": official_initialization,
            "seed": seed,
            "fused_blocks": fused_blocks,
        }
        self.has_class_token = class_token
        self.blocks = [
            TransformerBlock(
                num_heads=num_heads,
                mlp_dim=mlp_dim,
                epsilon=epsilon,
                query_key_value_bias=query_key_value_bias,
                layer_scale=layer_scale,
                depth=index + 1 if official_initialization else None,
                name=f"block_{index}",
                dtype=self.dtype_policy,
            )
            for index in range(num_layers)
        ]
        self.stochastic_depth = StochasticDepth(
            drop_path_rate, num_layers, seed, name="stochastic_depth", dtype=self.dtype_policy
        )
        self.fusion: Any = None
        if fused_blocks:
            self.fusion = BlockFusion(len(fused_blocks), name="fusion", dtype=self.dtype_policy)
        self.norm: Any = None
        if final_norm:
            self.norm = LayerNorm(epsilon=epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Create positions and blocks for patch embeddings of shape (B, h, w, D)."""
        _, height, width, dim = input_shape
        self.grid: tuple[int, int] = (height, width)
        tokens = height * width + self.has_class_token
        normal = TruncatedNormal()
        self.class_token = self.position_embedding = None
        if self.has_class_token:
            self.class_token = self.add_weight(shape=(dim,), initializer=normal, name="class_token")
        if self.options["position_embedding"]:
            self.position_embedding = self.add_weight(
                shape=(tokens, dim), initializer=normal, name="position_embedding"
            )
        names = {
            None: [],
            "shared": ["relative_position_bias"],
            "block": [f"{block.name}_relative_position_bias" for block in self.blocks],
        }
        self.relative_position_biases = [
            RelativePositionBias(
                self.grid,
                self.options["num_heads"],
                self.has_class_token,
                name=name,
                dtype=self.dtype_policy,
            )
            for name in names[self.options["relative_position_bias"]]
        ]
        for layer in (*self.blocks, *([self.norm] if self.norm else [])):
            layer.build((None, tokens, dim))
        if self.fusion is not None:
            self.fusion.build([(None, tokens, dim)] * (len(self.options["fused_blocks"]) + 1))
        for layer in self.relative_position_biases:
            layer.build()
        self.stochastic_depth.build()
        self.input_spec = keras.layers.InputSpec(shape=(None, height, width, dim))

    def call(
        self,
        patches: Tensor,
        training: bool | None = None,
        all_blocks: bool = False,
        visible: Tensor | None = None,
        lost: Tensor | None = None,
        stand_in: Tensor | None = None,
    ) -> Tensor | list[Tensor]:
        """Encode patch embeddings.

        Args:
            patches: (B, h, w, D).
            training: whether blocks are skipped at random.
            all_blocks: whether to return what every block gives, the last one fused and normed.
            visible: int32 (B, n), the only positions to encode, counted row by row; all if None.
                Without relative position biases.
            lost: float (B, h·w), 1 for a position whose token is not told where it is; none if
                None. Counted over all positions, whichever are visible.
            stand_in: (D,), what a token is given in place of its lost position.

        Returns:
            Features (B, h, w, D), of visible positions (B, n, 1, D), or a list of them.

        Raises:
            ValueError: for one of `lost` and `stand_in` without the other, or where there is no
                position embedding to lose.
        """
        tokens = self._embed_positions(patches, lost, stand_in)
        shape = self.grid
        if visible is not None:
            shape = (visible.shape[1], 1)
            if self.has_class_token:
                visible = ops.pad(visible + 1, ((0, 0), (1, 0)))
            tokens = take_rows(tokens, visible)
        biases = [layer.bias() for layer in self.relative_position_biases] or [None]
        if len(biases) == 1:
            biases = biases * len(self.blocks)
        factors = [None] * len(self.blocks)
        if training and self.stochastic_depth.rate > 0:
            drawn = self.stochastic_depth.factors(ops.shape(tokens)[0])
            factors = [drawn[index] for index in range(len(self.blocks))]
        outputs = []
        # The loop gives what the last block does, and no other.
        only_last = not all_blocks and self.fusion is None
        if training and only_last and kernels.loops_over(self.blocks, tokens):
            tokens = kernels.run_in_loop(self.blocks, tokens, biases, factors)
            outputs.append(tokens)
        else:
            for block, bias, factor in zip(self.blocks, biases, factors, strict=True):
                tokens = block(tokens, bias=bias, factors=factor)
                outputs.append(tokens)
        if self.fusion is not None:
            shallow = [outputs[number - 1] for number in self.options["fused_blocks"]]
            outputs[-1] = self.fusion([*shallow, tokens])
        if self.norm is not None:
            outputs[-1] = self.norm(outputs[-1])
        if not all_blocks:
            return self._to_map(outputs[-1], shape)
        return [self._to_map(output, shape) for output in outputs]

    def _embed_positions(
        self, patches: Tensor, lost: Tensor | None, stand_in: Tensor | None
    ) -> Tensor:
        """Add positions, and the class token in front: (B, h, w, D) → (B, N, D)."""
        rows, columns = self.grid
        dim = patches.shape[-1]
        tokens = ops.reshape(patches, (-1, rows * columns, dim))
        if self.class_token is not None:
            class_token = ops.reshape(ops.cast(self.class_token, tokens.dtype), (1, 1, dim))
            repeated = ops.broadcast_to(class_token, (ops.shape(tokens)[0], 1, dim))
            tokens = ops.concatenate([repeated, tokens], axis=1)
        if lost is not None or stand_in is not None:
            return tokens + self._positions_but(lost, stand_in, tokens.dtype)
        if self.position_embedding is not None:
            tokens = tokens + self.position_embedding
        return tokens

    def _positions_but(self, lost: Any, stand_in: Any, dtype: str) -> Tensor:
        """Put the stand-in where positions are lost: (B, h·w) and (D,) → (B, N, D)."""
        if lost is None or stand_in is None:
            given, missing = ("lost", "stand_in") if stand_in is None else ("stand_in", "lost")
            raise ValueError(f"{given} was given without {missing}; give both or neither.")
        if self.position_embedding is None:
            raise ValueError(
                "lost was given, but position_embedding=False leaves no position to lose; use "
                "position_embedding=True."
            )
        if self.class_token is not None:
            lost = ops.pad(lost, ((0, 0), (1, 0)))
        positions = ops.expand_dims(ops.cast(self.position_embedding, dtype), 0)
        return ops.where(ops.expand_dims(lost, -1) > 0, ops.cast(stand_in, dtype), positions)

    def _to_map(self, tokens: Tensor, shape: tuple[int, int]) -> Tensor:
        """Lay tokens out without the class token: (B, N, D) → (B, h, w, D)."""
        if self.class_token is not None:
            tokens = tokens[:, 1:]
        return ops.reshape(tokens, (-1, *shape, tokens.shape[-1]))

    def weights_by_block(self) -> list[list[keras.Variable]]:
        """List the weights of each block, with its table of relative positions if it has one."""
        groups = [list(block.weights) for block in self.blocks]
        if self.options["relative_position_bias"] == "block":
            for weights, bias in zip(groups, self.relative_position_biases, strict=True):
                weights += bias.weights
        return groups

    @property
    def strides(self) -> list[int]:
        """List how many input positions every block's output steps by."""
        return [1] * len(self.blocks)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's own shape."""
        return input_shape

    def compute_output_spec(
        self,
        patches: Tensor,
        training: bool | None = None,
        all_blocks: bool = False,
        visible: Tensor | None = None,
        lost: Tensor | None = None,
        stand_in: Tensor | None = None,
    ) -> Any:
        """Return what a symbolic call gives."""
        batch, *grid, dim = patches.shape
        shape = grid if visible is None else (visible.shape[1], 1)
        # A tensor of its own for each block: a functional model tells outputs apart by them.
        specs = [
            keras.KerasTensor((batch, *shape, dim), dtype=self.compute_dtype) for _ in self.blocks
        ]
        return specs if all_blocks else specs[-1]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.options}


def _check_fused_blocks(fused_blocks: tuple[int, ...], num_layers: int) -> tuple[int, ...]:
    """Return the numbers as a tuple, or raise ValueError unless blocks before the last have them.

    They rise, so that each projection is that of one block whatever the order they are given in.
    """
    numbers = tuple(fused_blocks)
    rises = numbers == tuple(sorted(set(numbers)))
    if not rises or not all(
        isinstance(number, int) and 1 <= number < num_layers for number in numbers
    ):
        raise ValueError(
            f"fused_blocks must be rising numbers of blocks before the last, 1 to {num_layers - 1} "
            f"of num_layers={num_layers}, got {fused_blocks!r}."
        )
    return numbers
