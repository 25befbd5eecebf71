"""How images become masked views: their crops, what is hidden, and what an encoder is given."""

from typing import Any, NamedTuple

from keras import ops

from keras_simmim.backend.types import Tensor
from keras_simmim.masking import MaskGenerator
from keras_simmim.masking.views import join_views, split_views
from keras_simmim.masking.visible import Visible


class MaskedViews(NamedTuple):
    """Hold B images on their way to the encoder, in V views each.

    Args:
        masked: what the masks fell on, features (B, h, w, c) or the pixels.
        hidden: (B, V, h, w, M), 1 where modality m is hidden in a block of a view.
        features: what the encoder takes, (B·V, h, w, c).
        visible: which positions of it are encoded.
        inside: (B·V, h, w, 1), all that convolutions of the encoder may see; None for everything.
    """

    masked: Tensor
    hidden: Tensor
    features: Tensor
    visible: Visible
    inside: Tensor | None = None


def crops_of(model: Any, images: Tensor, step: Tensor | int, training: bool) -> tuple[Tensor, int]:
    """Lay the crops of each picture side by side: (B, c, H, W, C) → (B·c, H, W, C) and c.

    Args:
        model: a `SimMIM`, which may draw the crops.
        images: (B, H, W, C) or (B, c, H, W, C).
        step: int32 scalar that crops are drawn from.
        training: whether all objectives are to be measured.

    Raises:
        ValueError: in training, for fewer crops than an objective compares.
    """
    if model.crops is not None:
        images = model.crops(images, step=step)
    crops = 1
    if len(images.shape) == 5:
        crops, images = images.shape[1], join_views(images)
    for objective in model.objectives if training else ():
        if crops < objective.least_crops:
            raise ValueError(
                f"{type(objective).__name__} compares {objective.least_crops} crops of an image, "
                f"got batches of {crops}: pass crops=2 to the source of ks.data, for batches "
                "(B, 2, H, W, C), or crops=ks.training.Crops(2) to SimMIM."
            )
    return images, crops


def masked_views(
    model: Any,
    generator: MaskGenerator,
    pixels: Tensor,
    step: Tensor | int,
    training: bool,
    valid: Tensor | None = None,
) -> MaskedViews:
    """Mask normalized pixels (B, H, W, C) where a `SimMIM` masks, and run its stem.

    Args:
        model: a `SimMIM`.
        generator: of the masks.
        pixels: (B, H, W, C), or tokens (B, L).
        step: int32 scalar that the masks are drawn from.
        training: whether layers behave as in training.
        valid: float (B, L), 1 where tokens are no padding; None for images.
    """
    backbone = model.backbone
    if valid is not None:
        masked = backbone.stem(pixels, training=training)
        hidden = generator.draw(masked, step, valid)
        views = generator.hide(masked, hidden, model.mask_token, step, valid)
        return MaskedViews(masked, hidden, join_views(views), Visible())
    encodes_visible = model.encode == "visible"
    if model.mask_on == "pixels":
        images, hidden = generator(pixels, step=step)
        visible, inside = Visible(), None
        if encodes_visible:
            rows, columns, _ = backbone.feature_shape
            visible = Visible(shown=join_views(generator.shown(hidden, rows, columns)))
            inside = ops.expand_dims(join_views(generator.shown(hidden, *generator.grid)), -1)
        features = backbone.run_stem(join_views(images), training, inside)
        return MaskedViews(pixels, hidden, features, visible, inside)

    rows, columns = backbone.positions
    if backbone.masks_stem:
        # Only its shape counts: nothing is known of features before the stem has run.
        masked = ops.zeros((ops.shape(pixels)[0], *backbone.stem_shape), model.compute_dtype)
        hidden = generator.draw(masked, step)
        inside = ops.expand_dims(join_views(generator.shown(hidden, rows, columns)), -1)
        repeated = ops.repeat(pixels, generator.views, axis=0)
        features = backbone.run_stem(repeated, training, inside)
        local = split_views(features, generator.views)
    else:
        features = local = masked = backbone.stem(pixels, training=training)
        hidden = generator.draw(masked, step)
        if encodes_visible and generator.views > 1:
            features = ops.repeat(masked, generator.views, axis=0)
    if encodes_visible:
        return MaskedViews(masked, hidden, features, generator.visible(hidden, rows, columns))
    features = join_views(generator.hide(local, hidden, model.mask_token, step))
    return MaskedViews(masked, hidden, features, Visible())


def lost_positions(
    model: Any, hidden: Tensor, step: Tensor | int
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Ask the objective that takes positions away, if there is one, which and for what.

    Args:
        model: a `SimMIM`.
        hidden: (B, V, h, w, M).
        step: int32 scalar that anything random is drawn from.

    Returns:
        float32 (B·V, N), 1 for a position that is lost, or None; and the encoder's arguments.
    """
    for objective in model.objectives:
        if objective.loses_positions:
            shown = join_views(model.mask_generator.shown(hidden, *model.backbone.positions))
            shown = ops.reshape(shown, (-1, shown.shape[1] * shown.shape[2]))
            lost, stand_in = objective.lost_positions(shown, step)
            return lost, {"lost": lost, "stand_in": stand_in}
    return None, {}
