"""The arguments that all sources of files and of rows take."""

from collections.abc import Sequence

from keras_simmim.data.pipeline.source_arguments import SourceArguments


class FileArguments(SourceArguments, total=False):
    """Name the arguments that sources of files and of rows share.

    `from_webdataset`, `from_parquet` and `from_huggingface` take them, and `segmentation_folder`,
    `coco` and `pascal_voc`. Each may be left out. They are those of `image_folder`; but where there
    are masks or boxes, `crops` must be 1, as every crop has some of its own, and a crop is another
    one if no `crop` is given: in training a `RandomCrop` of the scale (0.3, 1.0), otherwise the
    `WholeImage`.

    Args:
        limit: most images to use, chosen at random by `seed`; None uses all.
        validation_split: share of the images that is held out, between 0 and 1; None splits
            nothing. Equal seeds split alike.
        subset: which side of the split to give, `"training"` or `"validation"`.
        channels: 3 for color, 1 for gray, "all", or which ones, by number or by name; 3.
        value_range: values `(low, high)` that become 0 and 255, "dtype", "percentiles" or "window";
            None: those of 8 bits, and of 16 bits 0 and 65535. With a range, images are float32.
        page: of TIFF and DICOM files of several, its number, or "all"; None: the first.
        on_error: `"skip"`, the default, logs and leaves out an image that cannot be read, or whose
            mask cannot, or whose mask or boxes are of an image of another size; in training another
            image takes its place. `"raise"` ends the iteration with an error that names the file.
            `SourceArguments` says what becomes of shards.
        max_pixels: most pixels that an image's header may state.
        cache: "memory", "disk" or "auto" to decode each image once and keep its pixels for later
            epochs, see `image_folder`; images with masks or boxes keep their size, and "auto" does
            not keep them. None: nothing is kept.

    Example:
    ```python
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    for folder in ("photographs", "masks"):
        Path(folder).mkdir()
    for name in ("1.png", "2.png", "3.png", "4.png"):
        pixels = np.random.default_rng(0).integers(0, 6, (40, 50, 1))
        keras.utils.save_img(f"photographs/{name}", 50 * pixels, scale=False)
        keras.utils.save_img(f"masks/{name}", pixels, scale=False)
    shared: ks.data.FileArguments = {"validation_split": 0.25, "channels": 1}
    dataset = ks.data.segmentation_folder(
        "photographs", "masks", 32, 4, subset="training", **shared
    )
    dataset.image_count   # 3
    ```
    """

    limit: int | None
    validation_split: float | None
    subset: str | None
    channels: int | str | Sequence[int | str]
    value_range: tuple[float, float] | str | None
    page: int | str | None
    on_error: str
    max_pixels: int
    cache: str | None
