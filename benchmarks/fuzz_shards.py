"""Damaged shards, as benchmarks/fuzz.py makes and reads them."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARDS = 50  # of one data set


def small_images() -> dict[str, bytes]:
    import numpy as np
    from PIL import Image

    images = {}
    for number, kind in enumerate(("jpeg", "png", "jpeg")):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype="uint8")
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind)
        images[f"{number}.{kind}"] = file.getvalue()
    return images


def several_shards(
    folder: Path, change: Callable[[], bytes], whole: bytes, read: Callable[[Path], Any]
) -> Callable[[], Any]:
    """One that reads a whole shard and many changed ones, which may cost nothing but their rows."""

    def one() -> Any:
        place = folder / "shards"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "000").write_bytes(whole)
        for number in range(1, SHARDS + 1):
            (place / f"{number:03}").write_bytes(change())
        dataset = read(place)
        batches = len(list(dataset.as_numpy_iterator()))
        if batches != int(dataset.cardinality()):
            raise AssertionError(f"{batches} of {int(dataset.cardinality())} batches")
        return dataset

    return one


def changed_tar(fuzz: Any, content: bytes, headers: list[int]) -> bytes:
    """Changed, half of the time with checksums that agree with the changed headers."""
    changed = bytearray(fuzz.bytes(content))
    if fuzz.random.random() < 0.5:
        for start in headers:
            header = changed[start : start + 512]
            if len(header) == 512:
                header[148:156] = b" " * 8
                changed[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    return bytes(changed)


def tar(folder: Path, fuzz: Any) -> Callable[[], Any]:
    import tarfile

    from keras_simmim import data

    wholes = []
    for layout in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=layout) as archive:
            for name, image in small_images().items():
                key = "long" * 30 * (layout != tarfile.USTAR_FORMAT) + name.partition(".")[0]
                for ending, content in ((name.partition(".")[2], image), ("json", b'{"kind": 1}')):
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        content = file.getvalue()
        headers = [i for i in range(0, len(content), 512) if content[i + 257 : i + 262] == b"ustar"]
        wholes.append((content[: headers[-1] + 2048], headers))

    def read(place: Path) -> Any:
        shutil.rmtree(folder / "cache", ignore_errors=True)
        return data.from_webdataset(
            f"{place}/*", 8, 5, label="kind", cache_dir=folder / "cache", max_pixels=10**6
        )

    return several_shards(
        folder, lambda: changed_tar(fuzz, *fuzz.random.choice(wholes)), wholes[0][0], read
    )


def parquet(folder: Path, fuzz: Any) -> Callable[[], Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from keras_simmim import data

    images = [{"bytes": image, "path": name} for name, image in small_images().items()]
    wholes = []
    for options in ({}, {"compression": "none", "use_dictionary": False}, {"version": "1.0"}):
        file = io.BytesIO()
        table = pa.table({"image": images, "kind": [0, None, 1]})
        pq.write_table(table, file, row_group_size=2, **options)
        wholes.append(file.getvalue())

    def read(place: Path) -> Any:
        return data.from_parquet(f"{place}/*", 8, 5, label="kind", max_pixels=10**6)

    def change() -> bytes:
        content = fuzz.random.choice(wholes)
        # What the file says of itself stands at its end.
        return (
            fuzz.bytes(content[::-1])[::-1] if fuzz.random.random() < 0.5 else fuzz.bytes(content)
        )

    return several_shards(folder, change, wholes[0], read)
