"""Images of another size than a network's are refused: a reshape would fold them into the batch."""

from keras_simmim.backend import kernels
from keras_simmim.backend.types import Shape, Tensor


def fitting_images(images: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """Return images as they came, if they have the shape that a network is built for.

    Args:
        images: (B, H, W, C).
        image_shape: the network's (H, W, C).

    Returns:
        The images; of sizes that are not known before a batch comes, the batch is checked.

    Raises:
        ValueError: for images of another shape; TensorFlow's `InvalidArgumentError` for a batch
            of unknown sizes.

    Example:
    ```python
    from keras import ops
    from keras_simmim.layers.fitting_images import fitting_images

    fitting_images(ops.zeros((2, 32, 48, 3)), (32, 48, 3)).shape   # (2, 32, 48, 3)
    ```
    """
    sizes = tuple(images.shape)
    check_sizes(sizes, image_shape)
    if None in sizes[1:]:
        return kernels.with_shape(images, (sizes[0], *image_shape))
    return images


def check_sizes(sizes: Shape, image_shape: tuple[int, int, int]) -> None:
    """Raise ValueError unless a batch of these sizes fits a network; None may be any size.

    Args:
        sizes: of a batch of images.
        image_shape: the network's (H, W, C).
    """
    if len(sizes) == 4:
        pairs = zip(sizes[1:], image_shape, strict=True)
        if all(size in (None, wanted) for size, wanted in pairs):
            return
    height, width, channels = image_shape
    if len(sizes) != 4:
        advice = "Give a batch: of one image, images[None]."
    elif sizes[-1] not in (None, channels):
        advice = f"The network takes {channels} channels: convert them, or build it for others."
    else:
        advice = (
            f"Read them at that size, image_size=({height}, {width}) of ks.data, or fit the "
            f"network to them: backbone.resize({sizes[1:]}), or image_shape={sizes[1:]} of "
            "from_pretrained and from_preset."
        )
    raise ValueError(f"images must be (B, {height}, {width}, {channels}), got {sizes}. {advice}")
