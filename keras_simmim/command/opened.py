"""The model and the images that a subcommand names, opened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_simmim.command.command_error import CommandError

# EXIF's number of the orientation, and from which value on height and width are exchanged.
_ORIENTATION, _FIRST_TURNED = 0x0112, 5
# What a folder of a model has, if it is none of a run.
_SIGNS = {"checkpoints", "model.keras", "simmim.json", "config.json"}


def open_model(name: str) -> Any:
    """Open the model of a run, a file or a preset, of images.

    Raises:
        CommandError: if there is none.
    """
    from keras_simmim import models
    from keras_simmim.pretraining import Run

    path = Path(name)
    if path.is_file() and path.suffix not in (".keras", ".pth"):
        raise CommandError(f"--model {name}: is a file, but no .keras or .pth file.")
    if Run.epochs_of(path) is not None and not Run.is_whole(path):
        print(f"{name} is not finished; its newest checkpoint is taken.")
    try:
        model = models.open_model(name)
    except (ImportError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:800]
        if not name.startswith("hf://") and not path.exists():
            reason = "there is no such run or file."
        elif path.is_dir() and not {each.name for each in path.iterdir()} & _SIGNS:
            reason = "the folder holds no run and no preset: no model.keras, no checkpoints."
        raise CommandError(f"--model {name}: {reason}") from error
    if model.backbone.takes_tokens:
        raise CommandError(f"--model {name}: takes texts or histories, not images.")
    return model


def plain_images(data: str, model: Any, batch_size: int, **options: Any) -> Any:
    """Read all images of a folder as a model takes them, in order, nothing changed at random.

    Args:
        data: the folder.
        model: of images.
        batch_size: images of a batch.
        **options: of `ks.data.image_folder`.
    """
    from keras_simmim import data as sources

    *size, _ = model.backbone.image_shape
    crop = (sources.WholeImage if model.sees_whole else sources.CenterCrop)(tuple(size))
    return sources.image_folder(
        data,
        batch_size=batch_size,
        crop=crop,
        training=False,
        **values_of(model),
        **options,
    )


def values_of(model: Any) -> dict[str, Any]:
    """Say which channels and which values of files a model takes, for the sources of `ks.data`."""
    count = model.backbone.image_shape[-1]
    usual = count if count in (1, 3) else "all"
    return {"channels": model.channel_names or usual, "value_range": model.value_range}


def looked_at_size(path: str) -> tuple[int, int]:
    """Return height and width of an intact image file as one looks at it, in pixels."""
    from PIL import Image, UnidentifiedImageError

    from keras_simmim.data.reading.encoded_image import MAX_PIXELS
    from keras_simmim.data.reading.read_picture import read_picture

    try:
        with Image.open(path) as image:
            width, height = image.size
            is_turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
    except UnidentifiedImageError:
        height, width = read_picture(Path(path).read_bytes(), MAX_PIXELS).pixels.shape[:2]
        is_turned = False
    return (width, height) if is_turned else (height, width)


def has_classes(data: str, model: Any) -> bool:
    """Tell whether the images of a folder lie in sub-folders, which then are classes.

    Args:
        data: the folder.
        model: that is to take them.

    Raises:
        CommandError: if some do and some do not.
    """
    try:
        dataset = plain_images(data, model, 1)
    except ValueError as error:
        if "pass labels=None" not in str(error):
            raise
        raise CommandError(
            f"--data {data}: some images lie in it and some in its sub-folders; put each into the "
            "sub-folder of its class."
        ) from error
    return dataset.class_names is not None


def class_folders(model: Any, options: Any) -> tuple[Any, Any]:
    """Read labeled images as a model takes them, those to learn from and those held out.

    Args:
        model: of images.
        options: `data`, `held_out`, its share, `seed` and `batch_size`.

    Returns:
        Two data sets, of which one is None where the other has all images.

    Raises:
        CommandError: for a single class.
    """
    share, common = options.held_out, (options.data, model, options.batch_size)
    if share in (0, 1):
        whole = plain_images(*common)
        parts = (whole, None) if share == 0 else (None, whole)
    else:
        split = {"validation_split": share, "seed": options.seed}
        names = ("training", "validation")
        first, second = (plain_images(*common, **split, subset=name) for name in names)
        parts = first, second
    names = next(each.class_names for each in parts if each is not None)
    if len(names) < 2:
        raise CommandError(f"--data {options.data}: needs at least two classes, got {names} alone.")
    return parts


def files_of_rows(dataset: Any) -> Iterator[str]:
    """Give the file of each row of a data set, in its order, for each that was read before.

    Broken files have no row; they are known by the time that the next one has.
    """
    return (path for path in dataset.file_paths if path not in dataset.broken_files)
