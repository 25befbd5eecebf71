"""A folder of images, packed into tar shards."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_simmim.data import arguments
from keras_simmim.data.packing.shard_writer import ShardWriter
from keras_simmim.data.packing.small_image import small_image
from keras_simmim.data.packing.whole_reader import WholeReader
from keras_simmim.data.pipeline.host import leave_gpu_to_backend
from keras_simmim.data.reading.broken_files import BrokenFiles
from keras_simmim.data.reading.channel_choice import ChannelChoice
from keras_simmim.data.reading.encoded_image import MAX_PIXELS
from keras_simmim.data.reading.formats import EXTENSIONS
from keras_simmim.data.reading.picture_reader import PictureReader
from keras_simmim.data.reading.read_picture import read_picture
from keras_simmim.data.sources.listing import Listing, list_images
from keras_simmim.data.tables.file_table import FileTable
from keras_simmim.data.tables.shards_record import NAME, read_record, write_record

IMAGES = 1000  # of a shard, if nothing is said
COLOR = 3


class WrittenShards(NamedTuple):
    """Say what `write_shards` wrote.

    Attributes:
        paths: of the shards, in order.
        image_count: images in all of them.
        class_names: names of the labels, or None.
        broken_files: from the path of each file that was left out to the reason.
    """

    paths: list[str]
    image_count: int
    class_names: list[str] | None
    broken_files: dict[str, str]


def write_shards(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    size: int | None = None,
    *,
    labels: str | Sequence[int] | np.ndarray | None = "auto",
    class_names: Sequence[str] | None = None,
    images_per_shard: int | None = None,
    megabytes_per_shard: float | None = None,
    quality: int = 90,
    lossless: bool = False,
    on_error: str = "skip",
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
) -> WrittenShards:
    """Pack a folder of images once into tar shards, which `from_webdataset` reads.

    Images of `size` are smaller than a camera's, and faster to read: random crops for a network of
    64² pixels need no 12 megapixels. The shards are in WebDataset's layout: image i of the folder
    is `<its folder>/<i>-<its name>.jpg`, its label `.cls` of the same name. They are written in
    order, each whole or not at all. The same call again, over the same files, goes on behind the
    last whole shard if it was killed, and has nothing to do if it was not.

    Args:
        folder: of images, as `image_folder` takes it.
        output: folder of the shards, `shard-00000.tar` and so on, and of `shards.json`, with the
            names of the classes.
        size: of the shorter side of the images, in pixels. Those that are smaller stay as they are.
            None: the bytes of all files as they are.
        labels: as in `image_folder`: `"auto"` for the sub-folders, None, or one integer an image.
        class_names: as in `image_folder`.
        images_per_shard: most images of a shard; None: 1,000, or if `megabytes_per_shard` is given
            any number.
        megabytes_per_shard: millions of bytes at which a shard is full, or None.
        quality: of the JPEGs that resized images become, 1 to 95.
        lossless: whether resized images become PNGs instead.
        on_error: `"skip"` logs and leaves out a file that cannot be read; `"raise"` ends with an
            error that names it.
        max_pixels: most pixels that an image's header may state; one that states more is broken.
        workers: threads that read and resize; None: one for each processor.

    Returns:
        What was written: `paths`, `image_count`, `class_names`, `broken_files`.

    Raises:
        FileNotFoundError: if there is nothing at `folder`.
        NotADirectoryError: if `folder` is no folder.
        OSError: if a shard cannot be written.
        ValueError: if there is no image, no intact image, `output` holds shards that another call
            or other files gave, an argument is out of bounds, or arguments contradict each other.
        TypeError: if an argument has another type.

    Example:
    ```python
    from pathlib import Path
    import keras
    import numpy as np
    import keras_simmim as ks

    Path("cats").mkdir()
    for name in ("1.png", "2.png", "3.png"):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3))
        keras.utils.save_img(f"cats/{name}", pixels)
    written = ks.data.write_shards("cats", "shards", size=32, images_per_shard=2)
    len(written.paths), written.image_count   # 2, 3
    ```
    """
    leave_gpu_to_backend()
    call = _checked(size, images_per_shard, megabytes_per_shard, quality, lossless)
    max_pixels = arguments.as_integer("max_pixels", max_pixels, minimum=1)
    on_error = arguments.as_choice("on_error", on_error, ("skip", "raise"))
    processors = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
    threads = arguments.as_integer("workers", workers or processors or 1, minimum=1)
    unreadable: dict[str, str] = {}
    files = _listed(arguments.as_path("folder", folder), labels, class_names, unreadable)
    place = arguments.as_path("output", output)
    call |= {"max_pixels": max_pixels, "files": _digest(files)}
    record = _begun(place, files, call)
    broken = _broken_files(FileTable(files.paths), max_pixels, on_error)
    broken.reasons.update(record["broken_files"])
    reader = WholeReader(broken.open_image)
    for name, reason in unreadable.items():
        broken.note(name, reason)

    def packed(index: int) -> tuple[bytes, str] | None:
        return _packed(reader, files.paths[index], call)

    writer = ShardWriter(place, call["images"], call["bytes"], number=len(record["shards"]))
    root = arguments.as_path("folder", folder)
    try:
        for index, image in _in_order(packed, range(record["files"], len(files.paths)), threads):
            if image is None:
                broken.note(files.paths[index], broken.why_broken(index) or "could not be read")
                continue
            if writer.is_full:
                _finish(writer, record, index, broken, place)
            name = _name(os.path.relpath(files.paths[index], root), index, image[1])
            writer.add(name, image[0], files.classes[index] if files.is_labeled else None)
        _finish(writer, record, len(files.paths), broken, place)
    finally:
        writer.drop()
    count = sum(record["shards"].values())
    if not count:
        raise ValueError(f"all {len(files.paths)} images under {root!r} are broken.")
    paths = [os.path.join(place, name) for name in record["shards"]]
    return WrittenShards(paths, count, files.class_names, dict(record["broken_files"]))


def _checked(
    size: int | None, images: int | None, megabytes: float | None, quality: int, lossless: bool
) -> dict[str, Any]:
    """Return what decides on the contents of the shards, as it stands in their record."""
    if size is not None:
        arguments.as_integer("size", size, minimum=1)
    if images is not None:
        arguments.as_integer("images_per_shard", images, minimum=1)
    if megabytes is not None and not (
        isinstance(megabytes, int | float) and not isinstance(megabytes, bool) and megabytes > 0
    ):
        raise ValueError(f"megabytes_per_shard must be a number above 0, got {megabytes!r}.")
    if arguments.as_integer("quality", quality, minimum=1) > 95:
        raise ValueError(f"quality must be from 1 to 95, got {quality}.")
    return {
        "size": size,
        "images": IMAGES if images is None and megabytes is None else images,
        "bytes": None if megabytes is None else round(megabytes * 1e6),
        "quality": quality,
        "lossless": arguments.as_flag("lossless", lossless),
    }


def _listed(
    folder: str,
    labels: str | Sequence[int] | np.ndarray | None,
    class_names: Sequence[str] | None,
    unreadable: dict[str, str],
) -> Listing:
    """Return the files and their classes."""
    if class_names is not None:
        class_names = arguments.as_names("class_names", class_names)
    if isinstance(labels, str) and labels != "auto":
        raise ValueError(f"labels must be 'auto', None or integers, got {labels!r}.")
    files = list_images(folder, isinstance(labels, str), unreadable, class_names, "folder")
    if labels is not None and not isinstance(labels, str):
        files = files.labeled(arguments.as_labels(labels, len(files.paths)))
    return files


def _digest(files: Listing) -> str:
    """Return what changes with the files and their classes."""
    digest = hashlib.sha256(json.dumps([files.class_names, files.is_labeled]).encode())
    for path, label in zip(files.paths, files.classes, strict=True):
        try:
            stat = os.stat(path)
            state = stat.st_size, stat.st_mtime_ns
        except OSError:
            state = -1, -1
        digest.update(repr((path, label, *state)).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _begun(place: str, files: Listing, call: dict[str, Any]) -> dict[str, Any]:
    """Return the record of what an earlier call wrote, or of nothing.

    Raises:
        ValueError: if that was another call, or the shards are somebody else's.
    """
    os.makedirs(place, exist_ok=True)
    record = read_record(place)
    if record is None:
        others = [name for name in sorted(os.listdir(place)) if name.endswith(".tar")]
        if others or os.path.exists(os.path.join(place, NAME)):
            raise ValueError(
                f"output {place!r} holds other shards, such as {(others or [NAME])[0]!r}."
            )
        record = {"class_names": files.class_names, "call": call, "shards": {}}
        return {**record, "files": 0, "broken_files": {}}
    if record.get("call") != call:
        earlier = record.get("call") or {}
        changed = [name for name in call if call[name] != earlier.get(name)]
        raise ValueError(
            f"output {place!r} holds shards of another call, which differs in "
            f"{', '.join(changed)}: take another folder, or remove that one."
        )
    if missing := [n for n in record["shards"] if not os.path.isfile(os.path.join(place, n))]:
        raise ValueError(f"output {place!r} lacks {missing[0]!r}, which an earlier call wrote.")
    return record


def _broken_files(table: FileTable, max_pixels: int, on_error: str) -> BrokenFiles:
    """Return what reads files as colors of 8 bits, and names those that cannot be read."""
    reader = None if table.is_encoded else PictureReader(ChannelChoice(COLOR), None, max_pixels, 0)
    return BrokenFiles(table, COLOR, max_pixels, on_error, reader=reader)


def _packed(reader: WholeReader, path: str, call: dict[str, Any]) -> tuple[bytes, str] | None:
    """Return the contents and the ending of an image as it gets into a shard; None if broken."""
    try:
        with open(path, "rb") as file:
            contents = file.read()
        if call["size"] is None and path.lower().endswith(EXTENSIONS):
            reader.pixels(contents)
        elif call["size"] is None:
            # Whatever becomes of its channels and values where it is read.
            read_picture(contents, call["max_pixels"])
        elif small := small_image(
            contents, call["size"], reader, quality=call["quality"], lossless=call["lossless"]
        ):
            return small
    except (OSError, ValueError, tf.errors.OpError):
        return None
    return contents, os.path.splitext(path)[1][1:].lower()


def _name(path: str, index: int, ending: str) -> str:
    """Return the name in a shard of the file of a path in the folder."""
    folder, name = os.path.split(path)
    # A key of WebDataset ends at the first dot.
    stem = os.path.splitext(name)[0].replace(".", "_")
    return "/".join([*folder.split(os.sep), f"{index:08d}-{stem}.{ending}"]).lstrip("/")


def _finish(
    writer: ShardWriter, record: dict[str, Any], files: int, broken: BrokenFiles, place: str
) -> None:
    """Finish a shard, and write down that so many files are done."""
    if finished := writer.finish():
        record["shards"][finished[0]] = finished[1]
    if finished or files != record["files"]:
        record["files"], record["broken_files"] = files, dict(broken.reasons)
        write_record(place, record)


def _in_order(
    function: Callable[[int], Any], indices: range, threads: int
) -> Iterator[tuple[int, Any]]:
    """Yield indices and what a function makes of them, a few of which threads have in hand."""
    waiting: deque[tuple[int, Future[Any]]] = deque()
    executor = ThreadPoolExecutor(threads)
    try:
        for index in indices:
            waiting.append((index, executor.submit(function, index)))
            if len(waiting) > 4 * threads:
                number, future = waiting.popleft()
                yield number, future.result()
        while waiting:
            number, future = waiting.popleft()
            yield number, future.result()
    finally:
        executor.shutdown(cancel_futures=True)
