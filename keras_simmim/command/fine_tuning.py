"""A run that teaches a pretrained network a task: it begins, goes on, and is measured."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_simmim import data as sources
from keras_simmim.pretraining import Run
from keras_simmim.pretraining.choices import follow_steps, rate_of
from keras_simmim.training.fine_tuning_recipe import automatic_recipe

# What is not given: about so many steps, in so many passes at least and at most.
_STEPS, _FEWEST, _MOST = 400, 10, 100


@dataclasses.dataclass(frozen=True)
class Task:
    """Hold what a fine-tuning needs to know of its task.

    Args:
        learned: of the place in a run, as `epoch` and `first_batch`, to batches to learn from.
        make: makes the model.
        rate: the highest learning rate of the model; None where it has a recipe.
        measure: of the trained model, to figures by name.
        pictures: images to look at while it learns, and in the report; None for none.
        truth: what belongs to them, masks or boxes.
        evaluators: for `callbacks.Evaluate`.
    """

    learned: Callable[..., Any]
    make: Callable[[], Any]
    rate: float | None
    measure: Callable[[Any], Mapping[str, Any]]
    pictures: Any = None
    truth: Any = None
    evaluators: Sequence[Any] = ()


def sized(source: Any, options: argparse.Namespace) -> tuple[int, int, int]:
    """Give (H, W, C) of the images that a model made of a pretrained one takes."""
    height, width, channels = source.backbone.image_shape
    if options.image_size is not None:
        height = width = options.image_size
    return height, width, channels


def fine_tune(options: argparse.Namespace, task: Task, fixed: Sequence[str]) -> Any:
    """Train a task's model, or go on with what the run's folder holds, and measure it.

    Args:
        options: of the subcommand: `output`, `epochs`, `seed` and all that defines the run.
        task: what is learned.
        fixed: names of the options that a run which goes on must have in common.

    Returns:
        The model.

    Raises:
        ValueError: for one that was begun with other options.
    """
    dataset = task.learned()
    per_epoch = int(dataset.cardinality())
    epochs = options.epochs or min(max(round(_STEPS / per_epoch), _FEWEST), _MOST)
    skipped = ("run", "refuse", "trains", "debug", "overwrite", "backend")
    settings = {name: value for name, value in vars(options).items() if name not in skipped}
    settings |= {"epochs": epochs, "images": dataset.image_count}
    run = Run(options.output, settings, (*fixed, "images"))
    found = run.interrupted()
    place = {"epoch": 0, "first_batch": 0}
    if found is None:
        keras.utils.set_random_seed(options.seed)
        model = task.make()
        if task.rate is not None:
            optimizer = keras.optimizers.AdamW(
                rate_of(task.rate, epochs * per_epoch), weight_decay=0.05, global_clipnorm=5.0
            )
            model.compile(optimizer, jit_compile=keras.backend.backend() == "tensorflow" or "auto")
    else:
        model = found.model
        place = {"epoch": found.epoch, "first_batch": found.batch}
        dataset = task.learned(**place)
        print(f"Going on with {run.folder} after epoch {found.epoch}, batch {found.batch}.")
        _lengthen(model, task, per_epoch, epochs, options)
    print(
        f"{dataset.image_count} images of {model.backbone.image_shape} to learn from, "
        f"{model.count_params():,} parameters, {epochs} epochs."
    )
    shown = {"pictures": task.pictures, "truth": task.truth}
    if place["epoch"] >= epochs:
        # It was killed behind its last checkpoint.
        run.keep(model, **shown)
        told: dict[str, Any] = {}
    else:
        told = run.fit(
            model,
            sources.metered(dataset),
            epochs,
            initial_epoch=place["epoch"],
            save_every=500,
            evaluators=task.evaluators,
            **shown,
        )
    told |= {"data": options.data, "seed": options.seed, "epochs": epochs, **task.measure(model)}
    print(f"Look at {run.finish({'backend': keras.backend.backend(), **told})}.")
    return model


def _lengthen(
    model: Any, task: Task, per_epoch: int, epochs: int, options: argparse.Namespace
) -> None:
    """Let the rate of a model that goes on end with its last step, if that is another one now."""
    if task.rate is not None:
        follow_steps(model, task.rate, epochs * per_epoch)
        return
    recipe = automatic_recipe(
        model.backbone, per_epoch, options.batch_size, epochs, model.recipe_rate
    )
    model.optimizer.learning_rate = recipe.schedule
