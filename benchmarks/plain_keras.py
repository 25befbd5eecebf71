"""The masked autoencoder as keras.io arranges it, in plain Keras layers: a peer to time beside.

Visible patches are gathered, encoded by blocks of `keras.layers.MultiHeadAttention`, joined by mask
tokens, decoded by two more blocks, and all patches are predicted; the loss is that of the hidden
ones. Sizes are those of ViT-Tiny/16 at 224² and of `ks.heads.TransformerHead`'s defaults.
"""

import keras
from keras import layers, ops

PATCH, GRID, WIDTH, HEAD_WIDTH, VISIBLE = 16, 14, 192, 96, 49


def block(tokens, heads):
    width = tokens.shape[-1]
    normed = layers.LayerNormalization(epsilon=1e-6)(tokens)
    attention = layers.MultiHeadAttention(heads, key_dim=width // heads)
    tokens = tokens + attention(normed, normed)
    normed = layers.LayerNormalization(epsilon=1e-6)(tokens)
    return tokens + layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(normed))


class MaskedAutoencoder(keras.Model):
    """Pixels in, nothing out: the loss is added inside."""

    def __init__(self):
        super().__init__()
        self.patches = layers.Conv2D(WIDTH, PATCH, PATCH)
        self.positions = layers.Embedding(GRID**2, WIDTH)
        self.head_positions = layers.Embedding(GRID**2, HEAD_WIDTH)
        self.token = self.add_weight(shape=(HEAD_WIDTH,), initializer="random_normal")
        self.seed = keras.random.SeedGenerator(0)
        visible = keras.Input((VISIBLE, WIDTH))
        encoded = visible
        for _ in range(12):
            encoded = block(encoded, 3)
        projected = layers.Dense(HEAD_WIDTH)(layers.LayerNormalization(epsilon=1e-6)(encoded))
        self.encoder = keras.Model(visible, projected)
        whole = keras.Input((GRID**2, HEAD_WIDTH))
        decoded = whole
        for _ in range(2):
            decoded = block(decoded, 3)
        decoded = layers.LayerNormalization(epsilon=1e-6)(decoded)
        self.decoder = keras.Model(whole, layers.Dense(3 * PATCH**2)(decoded))

    def call(self, images):
        pixels = ops.cast(images, "float32") / 128 - 1
        noise = keras.random.uniform((ops.shape(pixels)[0], GRID**2), seed=self.seed)
        order = ops.argsort(noise, axis=1)
        embedded = ops.reshape(self.patches(pixels), (-1, GRID**2, WIDTH))
        embedded = embedded + self.positions(ops.arange(GRID**2))
        index = ops.expand_dims(order, -1)
        visible = ops.take_along_axis(embedded, index[:, :VISIBLE], axis=1)
        encoded = self.encoder(visible)
        hidden = ops.broadcast_to(self.token, (ops.shape(pixels)[0], GRID**2 - VISIBLE, HEAD_WIDTH))
        joined = ops.concatenate([encoded, ops.cast(hidden, encoded.dtype)], axis=1)
        joined = joined + ops.take(self.head_positions(ops.arange(GRID**2)), order, axis=0)
        predicted = self.decoder(joined)[:, VISIBLE:]
        shape = (-1, GRID, PATCH, GRID, PATCH, 3)
        targets = ops.transpose(ops.reshape(pixels, shape), (0, 1, 3, 2, 4, 5))
        targets = ops.reshape(targets, (-1, GRID**2, 3 * PATCH**2))
        targets = ops.take_along_axis(targets, index[:, VISIBLE:], axis=1)
        self.add_loss(ops.mean(ops.abs(predicted - targets)))
        return predicted
