"""Which files a source reads, how they are decoded, and what becomes of their images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast

import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.geometry.crop_arguments import needed_side
from keras_simmim.data.pipeline.batching import batched
from keras_simmim.data.pipeline.plan import Plan
from keras_simmim.data.pipeline.source_arguments import SourceArguments
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.deep_files import warn_of_deep
from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.reading.formats import DEEP_RANGE
from keras_simmim.data.reading.picture_reader import PERCENTILES, TYPE, WINDOW, PictureReader
from keras_simmim.data.reading.pixel_cache import AUTO, DISK, MEMORY, PixelCache, fits_in_memory
from keras_simmim.data.reading.settle import settle
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
        channels: which channels of the images.
        value_range: values that become 0 and 255, as it was given.
        page: of files of several, None if it was not given.
        on_error: what happens at a broken file.
        max_pixels: most pixels of an image.
        cache: where the pixels of images are kept, None if they are not.
        dense: whether masks or boxes follow the crops.
    """

    plan: Plan
    limit: int | None
    validation_split: float | None
    subset: str | None
    channels: ChannelChoice
    value_range: Any
    page: int | str | None
    on_error: str
    max_pixels: int
    cache: str | None
    dense: bool

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
        page = given.get("page")
        if page is not None and page != "all":
            page = arguments.as_integer("page", page, minimum=0)
        max_pixels = given.get("max_pixels", MAX_PIXELS)
        return cls(
            plan=plan,
            limit=given.get("limit"),
            validation_split=given.get("validation_split"),
            subset=given.get("subset"),
            channels=ChannelChoice(given.get("channels", 3)),
            value_range=given.get("value_range"),
            page=page,
            on_error=arguments.as_choice(
                "on_error", given.get("on_error", "skip"), ("skip", "raise")
            ),
            max_pixels=arguments.as_integer("max_pixels", max_pixels, minimum=1),
            cache=arguments.as_choice("cache", given.get("cache"), (None, AUTO, MEMORY, DISK)),
            dense=dense,
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
            The data set, as `batched` gives it, with `file_paths`, `broken_files`, `value_range`
            and `channel_names`.

        Raises:
            ValueError: if no file is intact, or those looked at are not fit for what was asked.
        """
        dataset = self._of_table(FileTable(paths), targets, class_names, unreadable)
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
            The data set, as `batched` gives it, but for `file_paths`.

        Raises:
            ValueError: if no image is intact, or those looked at are not fit for what was asked.
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
        reader = self._reader(table.is_encoded)
        broken = BrokenFiles(
            table,
            self.channels.given if self.channels.converts else 3,
            self.max_pixels,
            self.on_error,
            targets=targets,
            reader=reader,
        )
        for name, reason in unreadable.items():
            broken.note(name, reason)
        value_range = None
        if reader is not None:
            value_range = settle(reader, table, self.plan.epochs.seed, self.page)
        broken.check_first()
        if reader is None:
            warn_of_deep(table, self.max_pixels)
        training = self.plan.epochs.training
        cache = self._pixel_cache(len(table))
        source = TableSource(broken, class_names=class_names, training=training, cache=cache)
        dataset = batched(source, self.plan)
        dataset.broken_files = broken.reasons
        dataset.value_range = value_range
        dataset.channel_names = None
        if reader is not None and reader.takes_all and reader.names is not None:
            dataset.channel_names = list(reader.names)
        return dataset

    def _pixel_cache(self, count: int) -> PixelCache | None:
        """Return what keeps the pixels of so many images, if anything does."""
        # Masks and boxes are those of the whole image.
        side = None if self.dense else needed_side(self.plan.crop)
        place = self.cache
        if place == AUTO:
            # Floats take four times as much.
            many = count if self.value_range is None else 4 * count
            fits = side is not None and self.channels.converts and fits_in_memory(many, side)
            place = MEMORY if fits else None
        return None if place is None else PixelCache(count, place, side)

    def _reader(self, are_encoded: bool) -> PictureReader | None:
        """Return what reads the files that TensorFlow's readers do not read as they are to be.

        Args:
            are_encoded: whether TensorFlow's readers know all of them.

        Raises:
            ValueError: if `value_range` is out of bounds.
            TypeError: if it has another type.
        """
        value_range = self.value_range
        if isinstance(value_range, str):
            arguments.as_choice("value_range", value_range, (TYPE, PERCENTILES, WINDOW))
        elif value_range is not None:
            bounds = DEEP_RANGE if are_encoded else (-math.inf, math.inf)
            value_range = arguments.as_value_range(value_range, *bounds)
        page = 0 if self.page is None else self.page
        reader = PictureReader(self.channels, value_range, self.max_pixels, page)
        if reader.takes_all:
            return reader
        # Gray is made of their three channels where it is made of those of JPEGs.
        color = PictureReader(ChannelChoice(3), None, self.max_pixels, page)
        return None if are_encoded else color
