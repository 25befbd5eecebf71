"""Name the tokens that each view hid."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_simmim.backend import devices
from keras_simmim.backend.types import Config, Tensor
from keras_simmim.layers.hashing import hash_words
from keras_simmim.layers.take_rows import take_rows
from keras_simmim.objectives.masked_pass import MaskedPass
from keras_simmim.objectives.objective import Measure, Objective
from keras_simmim.objectives.parts import Parts

# From so many tokens on, hidden ones are told from a sample of the others.
_MANY = 50_000
_SAMPLED = 4096
# Keeps these draws apart from all others.
_SALT = 0x546F6B65


class _Found(NamedTuple):
    """Hold what was found at K positions of B·V views, and the order of all: (B·V, K), (B·V, L)."""

    entropy: Tensor
    hits: Tensor
    counts: Tensor
    order: Tensor


@keras.saving.register_keras_serializable("keras_simmim")
class HiddenTokens(Objective):
    """Measure the cross-entropy of the tokens that were hidden, every one of them alike.

    It is what a `SimMIM` of sequences learns by unless told otherwise. Of tokens with side
    features, each field that was hidden is named by a head of its own, and their losses are added.

    Args:
        sampled: number of tokens from which a hidden one is told, drawn at every step; 0 for the
            whole vocabulary; None for the whole one up to 50,000 tokens, and 4,096 beyond. Scores
            of sampled tokens are corrected by their chance to be drawn. Evaluation, too, is by
            the sample.
        weight: factor of the loss in the model's, above 0.
        name: of the loss, "token" if None.

    Raises:
        ValueError: for arguments out of range.

    Source: Devlin et al., "BERT", NAACL 2019, section 3.1; Jean et al., "On using very large
    target vocabulary for neural machine translation", ACL 2015, for the sample.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    backbone = ks.backbones.SequenceTransformer(20, 8, num_layers=1, num_heads=2, hidden_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(ratio=0.25, block_size=1))
    model.compile("adamw")
    tokens = np.random.default_rng(0).integers(1, 20, (4, 8))
    sorted(model.evaluate(tokens, verbose=0, return_dict=True))
    # ['loss', 'token_accuracy', 'token_loss']
    ```
    """

    name = "token"
    needs_prediction = True

    def __init__(
        self, sampled: int | None = None, weight: float = 1.0, name: str | None = None
    ) -> None:
        super().__init__(weight, name)
        if sampled is not None and (not isinstance(sampled, int) or sampled < 0):
            raise ValueError(f"sampled must be an integer of at least 0 or None, got {sampled!r}.")
        if not self.weight > 0:
            raise ValueError(f"weight must be above 0, got {weight!r}: leave the objective out.")
        self.sampled = sampled

    def prepare(self, parts: Parts) -> None:
        """Take the masks, the head and the tables; find which fields each modality hides.

        Raises:
            ValueError: for a model of images, or masks that hide no field whole.
        """
        if not parts.fields:
            raise ValueError(
                "HiddenTokens needs a backbone of tokens, such as SequenceTransformer, got one "
                f"of images {parts.image_shape}."
            )
        self.head, self.tables = parts.head, parts.tables
        generator = parts.mask_generator
        self.fields = tuple(parts.fields)
        self.sizes = tuple(parts.fields.values())
        length = parts.feature_shape[0]
        self.block = length // generator.grid[0]
        width = len(self.fields)
        hides = np.zeros((len(generator.modalities), width), bool)
        for index, modality in enumerate(generator.modalities):
            shape = (self.block, 1, generator.masked_shape[-1])
            chosen = ops.convert_to_numpy(modality.selection(shape))
            hides[index] = chosen.reshape(self.block, width, -1).all(axis=(0, 2))
        if not hides.any():
            raise ValueError(
                "HiddenTokens needs masks that hide tokens, or a field of them, whole: Spatial or "
                f"Field, got {', '.join(generator.names)}."
            )
        self.hides = hides
        # The most that any view hides of each field, of sequences of any length.
        losses = generator.losses_of
        self.most = [
            int(losses[..., hides[:, field]].any(axis=-1).sum(axis=1).max()) * self.block
            for field in range(width)
        ]

    def log_names(self) -> tuple[str, ...]:
        """List the names of the loss, the accuracy, and the loss of each field of several."""
        names = [f"{self.name}_loss", f"{self.name}_accuracy"]
        hidden = [field for field, most in zip(self.fields, self.most, strict=True) if most]
        if len(self.fields) > 1:
            names += [f"{self.name}_{field}_loss" for field in hidden]
        return tuple(names)

    def measure(self, masked_pass: MaskedPass, training: bool) -> dict[str, Measure]:
        """Measure the names of what was hidden, field by field."""
        measures = {}
        found = [
            (field, *self._measure(masked_pass, field))
            for field, most in enumerate(self.most)
            if most
        ]
        if len(self.fields) == 1:
            _, loss, hits = found[0]
            return {f"{self.name}_loss": loss, f"{self.name}_accuracy": hits}
        # The sum of the fields' means, counted as often as tokens are.
        totals = [devices.mean_over_replicas(each.total) for _, each, _ in found]
        summed = sum(
            each.values * ops.divide_no_nan(each.counts, total)
            for (_, each, _), total in zip(found, totals, strict=True)
        )
        tokens = found[0][1].total
        measures[f"{self.name}_loss"] = Measure(summed * totals[0], ops.ones_like(summed), tokens)
        measures[f"{self.name}_accuracy"] = found[0][2]
        for field, loss, _ in found:
            measures[f"{self.name}_{self.fields[field]}_loss"] = loss
        return measures

    def block_errors(self, masked_pass: MaskedPass) -> Tensor:
        """Sum the entropies of each block's hidden tokens, of all fields: (B, V, l, 1, M)."""
        _, views, length, _ = masked_pass.encoded.shape
        errors: Any = 0.0
        for field, most in enumerate(self.most):
            if most:
                found = self._found(masked_pass, field)
                rest = ops.zeros_like(masked_pass.encoded[..., 0])
                rest = ops.reshape(ops.cast(rest, "float32"), (-1, length))[:, most:]
                values = ops.concatenate([found.entropy * found.counts, rest], axis=-1)
                errors = errors + ops.take_along_axis(values, ops.argsort(found.order), axis=-1)
        blocks = ops.sum(
            ops.reshape(errors, (-1, views, length // self.block, self.block)), axis=-1
        )
        return ops.repeat(blocks[..., None, None], masked_pass.hidden.shape[-1], axis=-1)

    def _measure(self, masked_pass: MaskedPass, field: int) -> tuple[Measure, Measure]:
        """Measure the cross-entropy and the hits of a field: means over what was hidden of it."""
        views, most = masked_pass.encoded.shape[1], self.most[field]
        found = self._found(masked_pass, field)
        number = ops.sum(ops.reshape(found.counts, (-1, views * most)), axis=-1)
        counted = number * masked_pass.weights
        means = []
        for values in (found.entropy, found.hits):
            sums = ops.sum(ops.reshape(values * found.counts, (-1, views * most)), axis=-1)
            means.append(Measure(sums / ops.maximum(number, 1), counted, ops.sum(counted)))
        return means[0], means[1]

    def _found(self, masked_pass: MaskedPass, field: int) -> "_Found":
        """Score the hidden tokens of a field, and as many others as make up their number."""
        encoded = masked_pass.encoded
        _, views, length, width = encoded.shape
        tokens = masked_pass.pixels
        tokens = tokens if len(tokens.shape) == 2 else tokens[..., field]
        which = ops.convert_to_tensor(self.hides[:, field].astype("float32"))
        hidden = ops.max(ops.stop_gradient(masked_pass.hidden)[..., 0, :] * which, axis=-1)
        hidden = ops.repeat(ops.cast(hidden > 0, "float32"), self.block, axis=-1)
        # A token may lack a side feature: there is nothing to name.
        hidden = hidden * ops.cast(ops.expand_dims(ops.not_equal(tokens, 0), 1), "float32")
        hidden = ops.reshape(hidden, (-1, length))
        # Hidden positions first, each kind in its own order.
        order = (1 - hidden) * length + ops.arange(length, dtype="float32")
        order = ops.cast(ops.argsort(order, axis=-1), "int32")
        places = order[:, : self.most[field]]
        features = take_rows(ops.reshape(encoded, (-1, length, width)), places)
        repeated = ops.repeat(tokens, views, axis=0)
        truth = ops.take_along_axis(repeated, places, axis=-1)
        counts = ops.take_along_axis(hidden, places, axis=-1)
        entropy, hits = self._scores(features, truth, field, masked_pass.step)
        return _Found(entropy, hits, counts, order)

    def _scores(
        self, features: Tensor, truth: Tensor, field: int, step: Any
    ) -> tuple[Tensor, Tensor]:
        """Measure the entropy of true tokens (N, K), and whether they have the highest scores."""
        size = self.sizes[field]
        sampled = self.sampled
        if sampled is None:
            sampled = _SAMPLED if size > _MANY else 0
        if not 0 < sampled < size - 1:
            scores = self.head(features, self.tables, field=field)
            entropy = ops.sparse_categorical_crossentropy(truth, scores, from_logits=True)
            best = ops.cast(ops.argmax(scores, axis=-1), "int32")
            return entropy, ops.cast(best == truth, "float32")
        words = hash_words([_SALT, step, ops.arange(sampled, dtype="int32")])
        drawn = 1 + ops.bitwise_and(words, 2**31 - 1) % (size - 1)
        own, others = self.head.scores_of(features, self.tables, field, truth, drawn)
        others = others - float(np.log(sampled / (size - 1)))
        is_truth = ops.equal(ops.expand_dims(truth, -1), drawn)
        others = ops.where(is_truth, -1e9, others)
        scores = ops.concatenate([ops.expand_dims(own, -1), others], axis=-1)
        entropy = ops.logsumexp(scores, axis=-1) - own
        return entropy, ops.cast(own >= ops.max(others, axis=-1), "float32")

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"sampled": self.sampled, **super().get_config()}
