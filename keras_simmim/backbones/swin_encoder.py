"""The second half of a Swin transformer: stages of blocks, each ending in a merge but the last."""

from typing import Any

import keras
from keras import ops

from keras_simmim.backbones.patch_merging import PatchMerging
from keras_simmim.backbones.swin_block import SwinBlock
from keras_simmim.backend.types import Config, Shape, Tensor
from keras_simmim.layers.initialization import TruncatedNormal
from keras_simmim.layers.layer_norm import LayerNorm
from keras_simmim.layers.stochastic_depth import StochasticDepth


@keras.saving.register_keras_serializable("keras_simmim")
class SwinEncoder(keras.layers.Layer):
    """Run stages of windowed transformer blocks over patch embeddings (B, h, w, D).

    Every other block's windows are shifted by half a window. Between two stages the map halves
    and its width doubles.

    Args:
        depths: number of blocks of each stage.
        num_heads: attention heads of each stage.
        window_size: side of the windows, in positions.
        mlp_ratio: width of the blocks' perceptrons, in widths of their tokens.
        epsilon: of the layer norms.
        position_embedding: whether to add a learned vector to each position.
        query_key_value_bias: see `TransformerBlock`.
        drop_path_rate: see `StochasticDepth`.
        seed: of the stochastic depth.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        num_heads: tuple[int, ...],
        window_size: int,
        mlp_ratio: float = 4.0,
        epsilon: float = 1e-5,
        position_embedding: bool = False,
        query_key_value_bias: str = "all",
        drop_path_rate: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        depths, num_heads = tuple(depths), tuple(num_heads)
        self.options: Config = {
            "depths": depths,
            "num_heads": num_heads,
            "window_size": window_size,
            "mlp_ratio": mlp_ratio,
            "epsilon": epsilon,
            "position_embedding": position_embedding,
            "query_key_value_bias": query_key_value_bias,
            "drop_path_rate": drop_path_rate,
            "seed": seed,
        }
        self.stochastic_depth = StochasticDepth(
            drop_path_rate, sum(depths), seed, name="stochastic_depth", dtype=self.dtype_policy
        )
        self.norm = LayerNorm(epsilon=epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        """Create the stages for patch embeddings of shape (B, h, w, D)."""
        options, shape = self.options, tuple(input_shape)
        self.position_embedding = None
        if options["position_embedding"]:
            self.position_embedding = self.add_weight(
                shape=shape[1:],
                initializer=TruncatedNormal(),
                name="position_embedding",
            )
        self.stages: list[list[SwinBlock]] = []
        self.merges: list[PatchMerging] = []
        self.stage_shapes: list[Shape] = []
        for stage, depth in enumerate(options["depths"]):
            if stage > 0:
                merge = PatchMerging(
                    options["epsilon"], name=f"merge_{stage - 1}", dtype=self.dtype_policy
                )
                merge.build(shape)
                shape = merge.compute_output_shape(shape)
                self.merges.append(merge)
            blocks = [
                SwinBlock(
                    num_heads=options["num_heads"][stage],
                    mlp_dim=int(options["mlp_ratio"] * shape[-1]),
                    window_size=options["window_size"],
                    shifted=index % 2 == 1,
                    epsilon=options["epsilon"],
                    query_key_value_bias=options["query_key_value_bias"],
                    name=f"stage_{stage}_block_{index}",
                    dtype=self.dtype_policy,
                )
                for index in range(depth)
            ]
            for block in blocks:
                block.build(shape)
            self.stages.append(blocks)
            self.stage_shapes.append(shape)
        self.norm.build(shape)
        self.stochastic_depth.build()
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def call(
        self, patches: Tensor, training: bool | None = None, all_blocks: bool = False
    ) -> Tensor | list[Tensor]:
        """Encode patch embeddings.

        Args:
            patches: (B, h, w, D).
            training: whether blocks are skipped at random.
            all_blocks: whether to return what every block gives, the last one after the norm.

        Returns:
            Features (B, h', w', D'), or a list of every block's.
        """
        maps = patches
        if self.position_embedding is not None:
            maps = maps + self.position_embedding
        factors: Any = [None] * self.stochastic_depth.num_blocks
        if training and self.stochastic_depth.rate > 0:
            factors = self.stochastic_depth.factors(ops.shape(maps)[0])
        outputs: list[Tensor] = []
        for stage, blocks in enumerate(self.stages):
            if stage > 0:
                maps = self.merges[stage - 1](maps)
            for block in blocks:
                maps = block(maps, factors=factors[len(outputs)])
                outputs.append(maps)
        outputs[-1] = self.norm(maps)
        return outputs if all_blocks else outputs[-1]

    def weights_by_block(self) -> list[list[keras.Variable]]:
        """List the weights of each block, with those of the merge that follows it."""
        groups = []
        for stage, blocks in enumerate(self.stages):
            groups += [list(block.weights) for block in blocks]
            if stage < len(self.merges):
                groups[-1] += self.merges[stage].weights
        return groups

    @property
    def strides(self) -> list[int]:
        """List how many input positions every block's output steps by."""
        return [2**stage for stage, blocks in enumerate(self.stages) for _ in blocks]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h', w', D')."""
        _, height, width, dim = input_shape
        halvings = len(self.options["depths"]) - 1
        # Halving and rounding up n times is dividing by 2ⁿ and rounding up.
        rows, columns = (-(-size // 2**halvings) for size in (height, width))
        return (input_shape[0], rows, columns, dim * 2**halvings)

    def compute_output_spec(
        self, patches: Tensor, training: bool | None = None, all_blocks: bool = False
    ) -> Any:
        """Return what a symbolic call gives."""
        specs = [
            keras.KerasTensor((patches.shape[0], *shape[1:]), dtype=self.compute_dtype)
            for shape, blocks in zip(self.stage_shapes, self.stages, strict=True)
            for _ in blocks
        ]
        return specs if all_blocks else specs[-1]

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {**super().get_config(), **self.options}
