"""What JAX computes in one piece: on CPUs, equal blocks are one loop of the compiled program."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import keras
from keras import ops

from keras_simmim.backend.known_sizes import never_empty, with_shape
from keras_simmim.backend.types import Tensor

__all__ = [
    "affine",
    "attention",
    "batch_size",
    "group_norm",
    "has_attention_kernel",
    "has_flash_attention",
    "has_gelu_kernel",
    "has_group_norm_kernel",
    "has_layer_norm_kernel",
    "loops_over",
    "never_empty",
    "run_in_loop",
    "total_norm",
    "with_shape",
]


def has_attention_kernel() -> bool:
    """Say whether `attention` is one kernel: on accelerators.

    Elsewhere it is a chain of `einsum`, slower than batched products (benchmarks/README.md).
    """
    return jax.default_backend() != "cpu"


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attend: (B, heads, N, d) each, and a bias of the scores, to (B, heads, N, d).

    cuDNN's flash attention is taken where it compiles with its gradient, and there is no bias: of
    an odd number of tokens it has no gradient then.
    """
    query, key, value = (ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
    if jax.default_backend() == "gpu":
        flash = bias is None and has_flash_attention(query.shape[1:], str(query.dtype))
        attended = jax.nn.dot_product_attention(
            query, key, value, bias=bias, implementation="cudnn" if flash else "xla"
        )
    else:
        attended = ops.dot_product_attention(query, key, value, bias=bias)
    return ops.transpose(attended, (0, 2, 1, 3))


@functools.cache
def has_flash_attention(shape: tuple[int, ...], dtype: str) -> bool:
    """Try whether cuDNN's attention and its gradient compile: (N, heads, d) of one image."""

    def total(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        attended = jax.nn.dot_product_attention(query, key, value, implementation="cudnn")
        return attended.sum()

    tokens = jax.ShapeDtypeStruct((1, *shape), dtype)
    try:
        jax.jit(jax.grad(total, argnums=(0, 1, 2))).lower(tokens, tokens, tokens).compile()
    # What is missing, cuDNN or a type that it computes in, says so in many ways.
    except Exception:
        return False
    return True


def has_gelu_kernel() -> bool:
    """Say whether `ops.gelu` costs about one pass: JAX computes 1 − erf at length."""
    return False


def has_layer_norm_kernel() -> bool:
    """Say whether `ops.layer_normalization` is one kernel."""
    return False


def has_group_norm_kernel() -> bool:
    """Say whether `group_norm` is one kernel: here XLA makes one of what is written out."""
    return False


def group_norm(maps: Tensor, groups: int, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Raise, since `has_group_norm_kernel` is never true here."""
    raise NotImplementedError("JAX normalizes groups as Keras writes it.")


def affine(rows: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Multiply rows by a kernel and add a bias: (R, D), (D, K) and (K,) to (R, K)."""
    return rows @ kernel + bias


def batch_size(batch: Tensor) -> Tensor:
    """Count a batch's examples: a float32 scalar."""
    return jax.numpy.float32(batch.shape[0])


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Take the Euclidean norm of all gradients together: a float32 scalar."""
    squares = [jax.numpy.sum(jax.numpy.square(each.astype("float32"))) for each in gradients]
    return jax.numpy.sqrt(sum(squares))


def loops_over(blocks: Sequence[keras.layers.Layer], tokens: Tensor) -> bool:
    """Say whether `run_in_loop` is of use: where a step of equal blocks is being compiled.

    XLA on CPUs keeps twice as much of each block for the gradient as the loop does, and takes it
    from the system anew in each step. On accelerators it was not measured.
    """
    if len(blocks) < 2:
        return False
    compiling = isinstance(tokens, jax.core.Tracer) and jax.default_backend() == "cpu"
    return compiling and len({_form(block) for block in blocks}) == 1


def run_in_loop(
    blocks: Sequence[keras.layers.Layer],
    tokens: Tensor,
    biases: Sequence[Tensor | None],
    factors: Sequence[Tensor | None],
) -> Tensor:
    """Call blocks one after another, each on what the one before it gave.

    For the gradient, products of tokens and weights are kept; norms, GELU and attention are
    computed again. (Outside of a loop XLA would merge the second computation with the first.)

    Args:
        blocks: layers of the same form.
        tokens: what the first one is called on.
        biases: of the attention scores of each block; the same tensor, or None, may serve all.
        factors: of the branches of each, likewise.

    Returns:
        Tokens as the last block gives them.
    """
    variables = blocks[0].variables
    weights = [
        ops.stack([ops.convert_to_tensor(variable) for variable in same])
        for same in zip(*(block.variables for block in blocks), strict=True)
    ]
    # What serves all blocks stays outside of the loop: stacked, it would be copied for each.
    others = [
        None if all(one is each[0] for one in each) else ops.stack(each)
        for each in (biases, factors)
    ]

    def run_one(tokens: Tensor, values: Any) -> tuple[Tensor, None]:
        own, (bias, factor) = values
        bias = biases[0] if bias is None else bias
        factor = factors[0] if factor is None else factor
        with keras.StatelessScope(state_mapping=list(zip(variables, own, strict=True))):
            return blocks[0](tokens, bias=bias, factors=factor), None

    policy = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    step = jax.checkpoint(run_one, policy=policy, prevent_cse=False)
    return jax.lax.scan(step, tokens, (weights, others))[0]


def _form(block: keras.layers.Layer) -> tuple:
    """Return what two blocks share if their compiled programs are the same."""
    return type(block), *((tuple(v.shape), v.dtype, v.trainable, v.name) for v in block.variables)
