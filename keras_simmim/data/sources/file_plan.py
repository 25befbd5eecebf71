"""Which files a source reads, how they are decoded, and what becomes of their images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack, cast

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.deep_files import warn_of_deep
from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.reading.formats import DEEP_RANGE
from keras_simmim.data.sources.choices import choose
from keras_simmim.data.sources.file_arguments import FileArguments
from keras_simmim.data.sources.table_source import TableSource
from keras_simmim.data.tables.chosen_rows import ChosenRows
from keras_simmim.data.tables.file_table import FileTable
from keras_simmim.data.tables.image_table import ImageTable
from keras_simmim.data.targets.class_labels import ClassLabels
from keras_simmim.data.targets.targets import Targets


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """Say which files are read and how; `FileArguments` describes the rest.

    Args:
        plan: what becomes of the images.
        limit: most images to use.
        validation_split: share of the images that is held out.
        subset: side of the split.
        channels: of the images.
        value_range: values of 16 bits that become 0 and 255, None if it was not given.
        on_error: what happens at a broken file.
        max_pixels: most pixels of an image.
    """

    plan: Plan
    limit: int | None
    validation_split: float | None
    subset: str | None
    channels: int
    value_range: tuple[float, float] | None
    on_error: str
    max_pixels: int

    @classmethod
    def from_arguments(
        cls,
        image_size: int | tuple[int, int] | None,
        batch_size: int,
        *,
        training: bool,
        seed: int,
        dense: bool,
        **given: Unpack[FileArguments],
    ) -> "FilePlan":
        """Return the plan that the arguments of a source describe, as `Plan.from_arguments` does.

        Raises:
            ValueError: if arguments contradict each other, or one is out of bounds.
            TypeError: if an argument has another type or an unknown name.
        """
        own = FileArguments.__optional_keys__ - SourceArguments.__optional_keys__
        shared = {name: value for name, value in given.items() if name not in own}
        plan = Plan.from_arguments(
            image_size,
            batch_size,
            training=training,
            seed=seed,
            dense=dense,
            **cast(SourceArguments, shared),
        )
        value_range = given.get("value_range")
        max_pixels = given.get("max_pixels", MAX_PIXELS)
        return cls(
            plan=plan,
            limit=given.get("limit"),
            validation_split=given.get("validation_split"),
            subset=given.get("subset"),
            channels=arguments.as_choice("channels", given.get("channels", 3), (1, 3)),
            on_error=arguments.as_choice(
                "on_error", given.get("on_error", "skip"), ("skip", "raise")
            ),
            max_pixels=arguments.as_integer("max_pixels", max_pixels, minimum=1),
            value_range=None
            if value_range is None
            else arguments.as_value_range(value_range, *DEEP_RANGE),
        )

    def choose(self, classes: list[int]) -> list[int]:
        """Return the sorted indices of the images to use, taken evenly from their classes."""
        seed = self.plan.epochs.seed
        return choose(classes, self.limit, self.validation_split, self.subset, seed)

    def batched(
        self,
        paths: list[str],
        targets: Targets,
        class_names: list[str] | None,
        unreadable: Mapping[str, str],
    ) -> tf.data.Dataset:
        """Batch the images of files.

        Args:
            paths: the files.
            targets: what belongs to each.
            class_names: names of the classes, or None.
            unreadable: folders that could not be read, and the reasons.

        Returns:
            The data set, as `batched` gives it, with `file_paths` and `broken_files`.

        Raises:
            ValueError: if no file is intact.
        """
        dataset = self._of_table(FileTable(paths), targets, class_names, unreadable)
        warn_of_deep(paths, self.max_pixels, self.value_range)
        dataset.file_paths = paths
        return dataset

    def batched_rows(
        self,
        table: ImageTable,
        classes: Sequence[int] | None,
        class_names: list[str] | None,
        unreadable: Mapping[str, str],
    ) -> tf.data.Dataset:
        """Batch the images of a table that `limit` and `subset` leave, and their classes.

        Args:
            table: the images.
            classes: of each image, −1 where it has none; None without labels.
            class_names: names of the classes, or None.
            unreadable: shards that could not be read, and the reasons.

        Returns:
            The data set, as `batched` gives it, with `broken_files`.

        Raises:
            ValueError: if no image is intact.
        """
        chosen = self.choose([0] * len(table) if classes is None else list(classes))
        if len(chosen) < len(table):
            table = ChosenRows(table, chosen)
        targets = Targets()
        if classes is not None:
            targets = ClassLabels.of([classes[index] for index in chosen])
        return self._of_table(table, targets, class_names, unreadable)

    def _of_table(
        self,
        table: ImageTable,
        targets: Targets,
        class_names: list[str] | None,
        unreadable: Mapping[str, str],
    ) -> tf.data.Dataset:
        """Batch all images of a table."""
        broken = BrokenFiles(
            table,
            self.channels,
            self.max_pixels,
            self.on_error,
            self.value_range or DEEP_RANGE,
            targets,
        )
        for name, reason in unreadable.items():
            broken.note(name, reason)
        broken.check_first()
        training = self.plan.epochs.training
        source = TableSource(broken, class_names=class_names, training=training)
        dataset = batched(source, self.plan)
        dataset.broken_files = broken.reasons
        return dataset
