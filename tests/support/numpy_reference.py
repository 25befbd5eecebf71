"""The library's formulas once more, in NumPy and without Keras: what the tests compare with."""

import math

import numpy as np


def hash_words(words):
    """The chain of lowbias32 hashes, in unsigned 32-bit arithmetic."""
    state = np.zeros((), dtype="uint32")
    for word in words:
        # Through int64, so that -1 becomes the word of all ones.
        word = (np.asarray(word).astype("int64") & 0xFFFFFFFF).astype("uint32")
        mixed = (state ^ word).astype("uint64") + 0x9E3779B9 & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 16) * 0x7FEB352D & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 15) * 0x846CA68B & 0xFFFFFFFF
        state = (mixed ^ mixed >> 16).astype("uint32")
    return state


def random_ranks(seed, step, batch_size, blocks):
    """Ranks of the hashes, read as signed numbers, among each image's blocks."""
    image, block = np.arange(batch_size)[:, None], np.arange(blocks)[None]
    scores = hash_words([seed, step, image, block]).view("int32")
    return scores.argsort(axis=1).argsort(axis=1)


def spatial_mask(seed, step, batch_size, grid, count, height, width):
    """1 at hidden positions: (B, height, width, 1) for a grid of blocks, `count` hidden."""
    hidden = random_ranks(seed, step, batch_size, grid[0] * grid[1]) < count
    hidden = hidden.reshape(batch_size, *grid).astype("float32")
    spread = hidden.repeat(height // grid[0], axis=1).repeat(width // grid[1], axis=2)
    return spread[..., None]


def hidden_loss(target, prediction, mask):
    """Σ|x−x̂|·m / (Σm + 1e-5) / C of every image, (B,); mask (B, H, W, 1)."""
    total = (np.abs(target - prediction) * mask).sum(axis=(1, 2, 3))
    return total / (mask.sum(axis=(1, 2, 3)) + 1e-5) / target.shape[-1]


def convolution(images, kernel, bias, stride=1):
    """A convolution with "same" padding, the odd row and column of it below and to the right."""
    size = kernel.shape[0]
    outputs = [-(-length // stride) for length in images.shape[1:3]]
    padding = [(0, 0)]
    for length, output in zip(images.shape[1:3], outputs, strict=True):
        total = max((output - 1) * stride + size - length, 0)
        padding.append((total // 2, total - total // 2))
    padded = np.pad(images.astype("float64"), [*padding, (0, 0)])
    result = np.zeros((len(images), *outputs, kernel.shape[-1]))
    for row in range(outputs[0]):
        for column in range(outputs[1]):
            top, left = row * stride, column * stride
            window = padded[:, top : top + size, left : left + size]
            result[:, row, column] = np.einsum("bijc,ijcf->bf", window, kernel) + bias
    return result


def layer_norm(tokens, scale, offset, epsilon):
    """Normalise the last axis to mean 0 and variance 1, then scale and shift."""
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * scale + offset


def gelu(values):
    """The exact GELU, x·Φ(x)."""
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def softmax(scores):
    """Softmax over the last axis."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def transformer_block(tokens, weights, num_heads, epsilon=1e-6):
    """A pre-norm block on (B, N, D); `weights` by the names that Keras gives them."""

    def norm(name, values):
        return layer_norm(values, weights[f"{name}/gamma"], weights[f"{name}/beta"], epsilon)

    def dense(name, values):
        return values @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    queries, keys, values = np.split(
        dense("query_key_value", norm("attention_norm", tokens)), 3, axis=-1
    )
    heads = []
    for part in np.split(np.arange(tokens.shape[-1]), num_heads):
        similarity = np.einsum("bqd,bkd->bqk", queries[..., part], keys[..., part])
        attention = softmax(similarity / math.sqrt(len(part)))
        heads.append(attention @ values[..., part])
    tokens = tokens + dense("attention_output", np.concatenate(heads, axis=-1))
    return tokens + dense("mlp_output", gelu(dense("mlp_hidden", norm("mlp_norm", tokens))))


def pixel_shuffle(values, channels, stride):
    """torch's PixelShuffle: output channel c at (i, j) is input channel (c·s_h + i)·s_w + j."""
    batch_size, rows, columns, _ = values.shape
    images = np.zeros((batch_size, rows * stride[0], columns * stride[1], channels))
    for channel in range(channels):
        for i in range(stride[0]):
            for j in range(stride[1]):
                index = (channel * stride[0] + i) * stride[1] + j
                images[:, i :: stride[0], j :: stride[1], channel] = values[..., index]
    return images


def cosine_matrix(size):
    """The orthonormal DCT-II, element by element."""
    matrix = np.zeros((size, size))
    for i in range(size):
        for sample in range(size):
            scale = math.sqrt((1 if i == 0 else 2) / size)
            matrix[i, sample] = scale * math.cos(math.pi * i * (2 * sample + 1) / (2 * size))
    return matrix


def modality_matrix(name, height, width, channels):
    """T as one matrix on flattened blocks (p·q·C), and the sort of each coefficient.

    The sort is 0 for spatial; 0 for luma and 1 for chroma; i + j for texture.
    """
    identity = {size: np.eye(size) for size in (height, width, channels)}
    rows, columns, colors = identity[height], identity[width], identity[channels]
    if name == "color" and channels == 3:
        colors = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], "float64")
        colors /= np.linalg.norm(colors, axis=1, keepdims=True)
    elif name == "color":
        colors = cosine_matrix(channels)
    elif name == "texture":
        rows, columns = cosine_matrix(height), cosine_matrix(width)
    i, j, c = np.meshgrid(*map(np.arange, (height, width, channels)), indexing="ij")
    sorts = {"spatial": 0 * i, "color": np.minimum(c, 1), "texture": i + j}
    return np.kron(np.kron(rows, columns), colors), sorts[name].ravel()


def to_blocks(images, grid):
    """(B, H, W, C) → (B, h·w, p·q·C)."""
    batch_size, height, width, channels = images.shape
    rows, columns = grid
    split = images.reshape(
        batch_size, rows, height // rows, columns, width // columns, channels
    ).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(batch_size, rows * columns, -1)


def from_blocks(blocks, grid, shape):
    """(B, h·w, p·q·C) → (B, H, W, C)."""
    (height, width, channels), (rows, columns) = shape, grid
    split = blocks.reshape(-1, rows, columns, height // rows, width // columns, channels)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)
