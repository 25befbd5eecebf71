"""One call: images in, a pretrained network out."""

import os
from typing import Any

import keras
import numpy as np

from keras_simmim import data as sources
from keras_simmim import training
from keras_simmim.evaluation import EmbeddingStatistics
from keras_simmim.models import SimMIM
from keras_simmim.pretraining.choices import CROP_SCALE, compile_model, follow_steps, new_model
from keras_simmim.pretraining.images import Images, evenly, open_images
from keras_simmim.pretraining.run import Run
from keras_simmim.training.callbacks import Progress, WarnOfCollapse
from keras_simmim.training.crops import Crops


def pretrain(
    data: Any,
    *,
    epochs: int | None = None,
    output: str | os.PathLike[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    model: SimMIM | None = None,
    batch_size: int | None = None,
    patch_size: int | None = None,
    reconstruct: bool = False,
    save_every: int | None = 500,
    seed: int = 0,
    distribute: bool = False,
) -> SimMIM:
    """Pretrain a network on images without labels, with everything chosen that is not given.

    A ViT encodes the visible quarter of the patches of two crops of each image, and learns to find
    the one by the other among all crops of the batch. How large it is, and how long it trains,
    follows from the number of images:

    | images | patches | blocks × width | batch | epochs | largest side of files |
    |---|---|---|---|---|---|
    | below 5,000 | 64 | 4 × 128 | 64 | 200 | 64 |
    | 5,000 to 50,000 | 64 | 6 × 192 | 128 | 100 | 96 |
    | above, or unknown | 196 | 12 × 384 | 256 | 100 | 224 |

    Mean and deviation are those of some of the images. Steps that are not finite are skipped, a
    run that collapses warns, and what `output` holds can be looked at while it runs. The same call
    again goes on where a run was stopped or killed; with more epochs, a finished run trains on.
    Ctrl-C and SIGTERM end it after the step that is being taken, with a checkpoint of it.

    Args:
        data: an array (N, H, W, C) or (N, H, W) of 0–255; a folder of image files, of any sizes,
            those that cannot be read left out; tar shards or parquet files, named by a path, a
            pattern such as "shards/*.tar" or a list, as `ks.data.from_webdataset` and
            `from_parquet` take them; "tfds:NAME", of which "train" is taken; or a
            `tf.data.Dataset` of batches of images (B, H, W, C), with labels or without.
        epochs: passes over the images, at least 1; by the table if None.
        output: folder of the run, in which checkpoints, curves, pictures, the model and
            `report.html` are written, and which is gone on with; None writes nothing.
        image_size: side or (height, width) to which images are resized, in pixels; None: that of
            an array, or the usual size of files, rounded to whole patches.
        model: a `SimMIM` to train instead of a new one; if it is not compiled, as by the table.
        batch_size: images of a batch; by the table if None. A data set has its own.
        patch_size: side of a new model's patches, in pixels, which divides both sides; by the
            table if None. Segmenters and detectors gain by finer ones.
        reconstruct: whether a new model also predicts what was hidden, for pictures of it; its
            steps take about a third longer.
        save_every: steps between two checkpoints within an epoch; None saves epochs alone.
        seed: of weights, masks, order and crops.
        distribute: whether to train on all devices and with all processes that
            `ks.training.distribute` finds; a model that is given must then be made after it.

    Returns:
        The trained model: `embed`, `reconstruct`, `ks.ImageClassifier.from_pretrained(model)`, …

    Raises:
        TypeError: for data of another kind, or a model that is no `SimMIM`.
        ValueError: for fewer than 2 images, numbers out of range, a model for other images, or a
            folder with a run that was begun otherwise.

    Source: He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022, and Mishra et
    al., "A Simple, Efficient and Scalable Contrastive Masked Autoencoder", 2022.

    Example:
    ```python
    import numpy as np
    import keras_simmim as ks

    images = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype="uint8")
    model = ks.pretrain(images, epochs=1, output="runs/first")
    model.embed(images).shape   # (16, 128)
    ```
    """
    for name, value in (
        ("epochs", epochs),
        ("batch_size", batch_size),
        ("patch_size", patch_size),
        ("save_every", save_every),
    ):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be an integer of at least 1 or None, got {value!r}.")
    if model is not None and not isinstance(model, SimMIM):
        raise TypeError(f"model must be a SimMIM, got {type(model).__name__}.")
    if model is not None and image_size is None and not hasattr(data, "element_spec"):
        image_size = model.backbone.image_shape[:2]
    if model is not None and patch_size is not None:
        raise ValueError(f"patch_size is for a new model, got patch_size={patch_size} and model.")
    if distribute:
        print(training.distribute())
    images = open_images(data, image_size, seed)
    epochs = images.choice.epochs if epochs is None else epochs
    size = images.choice.batch_size if batch_size is None else batch_size
    if batch_size is not None and hasattr(data, "element_spec"):
        raise ValueError(f"batch_size must be None for a tf.data.Dataset, got {batch_size}.")
    if model is not None and model.backbone.image_shape != images.sample.shape[1:]:
        raise ValueError(
            f"model takes images {model.backbone.image_shape}, but data gives "
            f"{images.sample.shape[1:]}."
        )
    settings = {
        "data": images.name,
        "images": images.count,
        "image_shape": images.sample.shape[1:],
        "batch_size": size,
        "epochs": epochs,
        "seed": seed,
    }
    fixed = ["data", "images", "image_shape", "batch_size", "seed"]
    if model is None:
        patch = images.choice.patch_size(images.sample.shape[1:3])
        new = {"patch_size": patch_size or patch, "reconstruct": reconstruct}
        settings |= new
        fixed += new
    run = None if output is None else Run(output, settings, fixed)
    made = {"patch_size": patch_size, "seed": seed, "reconstructs": reconstruct}
    with training.stop_gently():
        return _trained(images, model, run, epochs, size, save_every, made)


def _trained(
    images: Images,
    model: SimMIM | None,
    run: Run | None,
    epochs: int,
    batch_size: int,
    save_every: int | None,
    made: dict[str, Any],
) -> SimMIM:
    """Train a new model, or go on with what the run's folder holds."""
    within = images.goes_on_within_epochs
    steps = epochs * -(-(images.count or 1_000_000) // batch_size)
    chosen = evenly(len(images.sample), 8)
    others = np.delete(images.sample, chosen, axis=0)
    shown: dict[str, Any] = {
        "pictures": images.sample[chosen],
        "candidates": others if len(others) else images.sample,
    }
    epoch = batch = 0
    found = run and run.interrupted(whole_epochs=not within)
    if run and found:
        if not isinstance(found.model, SimMIM):
            raise ValueError(
                f"output must be a folder for a run of a SimMIM, {run.folder} holds one of a "
                f"{type(found.model).__name__}."
            )
        model, epoch, batch = found.model, found.epoch, found.batch
        if epoch >= epochs:
            print(f"{run.folder} is finished, with {epoch} epochs; with more, it trains on.")
            if not run.is_whole(run.folder):
                # It was killed behind its last checkpoint.
                run.keep(found.model, **shown)
                run.finish({"backend": keras.backend.backend(), "images": images.count})
            return found.model
        print(f"Going on with {run.folder} after epoch {epoch}, batch {batch}.")
        follow_steps(model, images.choice.learning_rate, steps)
    else:
        model = _ready(model, images, steps, made)
    crops = max((each.least_crops for each in model.objectives), default=1)
    dataset: Any = images.batches(epoch, batch, batch_size, crops if images.draws_crops else 1)
    arguments: dict[str, Any] = {}
    if hasattr(dataset, "element_spec"):
        dataset = sources.metered(dataset)
    else:
        arguments["batch_size"] = batch_size
    print(
        f"{images.count or 'An unknown number of'} images of {model.backbone.image_shape}, "
        f"{model.count_params():,} parameters, {epochs} epochs."
    )
    collapse = WarnOfCollapse(images.sample)
    if run is None:
        progress = [Progress(dataset)] if hasattr(dataset, "meter") else []
        verbose = 0 if progress else 2
        model.fit(
            dataset, epochs=epochs, callbacks=[*progress, collapse], verbose=verbose, **arguments
        )
        return model
    summary = run.fit(
        model,
        dataset,
        epochs,
        initial_epoch=epoch,
        save_every=save_every if within else None,
        evaluators=[EmbeddingStatistics(images.sample)],
        others=[collapse],
        **shown,
        **arguments,
    )
    run.finish({"backend": keras.backend.backend(), "images": images.count, **summary})
    return model


def _ready(model: SimMIM | None, images: Images, steps: int, made: dict[str, Any]) -> SimMIM:
    """Return a compiled model: a new one, of these arguments of `new_model`, or the given one."""
    if model is None:
        keras.utils.set_random_seed(made["seed"])
        if not images.draws_crops:
            size = images.sample.shape[1:3]
            made = {**made, "crops": Crops(2, CROP_SCALE, seed=made["seed"], image_size=size)}
        return new_model(images.sample, images.choice, steps, **made)
    if not model.compiled:
        compile_model(model, images.choice.learning_rate, steps)
    return model
