"""How fast is the input: beside PIL, from epoch to epoch, and when the library is imported?

python benchmarks/data.py                       # all questions
python benchmarks/data.py --questions input     # also: large, cache, shards, epochs, waiting …

input: JPEGs of 500×375 pixels to augmented batches at 192², images/s, beside PIL in two processes
(decode, random resized crop with Pillow's bilinear filter, flip; nothing is sent anywhere) and
beside keras.utils.image_dataset_from_directory (which augments nothing). The three take turns.
large: the same of 4000×3000 pixels at 224², beside PIL in two processes that decodes no more than
it needs (Image.draft).
cache: the first epoch of a folder with cache="memory", and its second.
shards: the folder, and what write_shards makes of it once, shorter sides of 256 pixels, in turns;
of 500×375 pixels at 192², and of 4000×3000 at 224².
epochs: seconds and resident memory of an epoch over 1,000, 10,000 and 100,000 links to the photos.
waiting: seconds of a training step with the pipeline and with one batch that is kept, in turns.
import: seconds of `import keras_simmim` behind `import keras`, in new processes.
"""

import argparse
import functools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

PHOTOS, COPIES, SIDE, BATCH = 300, 10, 192, 64
LARGE, LARGE_COPIES = 16, 16  # photos of 4000×3000, and how often each is there
SHORTER = 256  # side of the images in shards
RESULTS = Path(__file__).parent / "results"


def make_photos(folder, size=(500, 375), photos=PHOTOS, copies=COPIES):
    """Crops of photographs with a sensor's noise, JPEG of quality 90, each some times.

    An epoch starts in 0.3 s, which would be two fifths of the time of one over so few.
    """
    from pictures import photographs

    generator = np.random.default_rng(0)
    originals = [Image.fromarray(original) for original in photographs().values()]
    for number in range(photos):
        original = originals[number % len(originals)]
        width = min(original.width, original.height * 4 / 3) * generator.uniform(0.5, 1)
        left = generator.uniform(0, original.width - width)
        top = generator.uniform(0, original.height - width * 3 / 4)
        box = (left, top, left + width, top + width * 3 / 4)
        pixels = np.asarray(original.resize(size, Image.Resampling.BICUBIC, box))
        noisy = np.clip(pixels + generator.normal(0, 4, pixels.shape), 0, 255).astype("uint8")
        path = folder / f"{number:03d}.jpg"
        Image.fromarray(noisy).save(path, quality=90)
        for copy in range(1, copies):
            os.link(path, folder / f"{number:03d}-{copy}.jpg")


def pil_crops(paths, side=SIDE, drafts=False):
    """What a loader on PIL computes, the batch included; JPEGs as small as crops allow if asked."""
    generator = np.random.default_rng(0)
    crops = []
    for path in paths:
        with Image.open(path) as file:
            if drafts:
                file.draft("RGB", (round(1.25 * side), round(1.25 * side)))
            image = file.convert("RGB")
        area = image.width * image.height * generator.uniform(0.67, 1)
        ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)))
        width = min(image.width, round((area * ratio) ** 0.5))
        height = min(image.height, round((area / ratio) ** 0.5))
        left = int(generator.integers(0, image.width - width + 1))
        top = int(generator.integers(0, image.height - height + 1))
        crop = image.crop((left, top, left + width, top + height))
        crop = crop.resize((side, side), Image.Resampling.BILINEAR)
        if generator.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crops.append(np.asarray(crop))
    return sum(len(np.stack(crops[start : start + BATCH])) for start in range(0, len(crops), BATCH))


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(functions, rounds):
    """Medians of the seconds of each, and the rounds, after one round to warm up."""
    times = [[seconds(function) for function in functions] for _ in range(rounds + 1)][1:]
    return [statistics.median(column) for column in zip(*times, strict=True)], times


def input_speed(folder, rounds):
    import keras

    import keras_simmim as ks

    paths = sorted(map(str, folder.iterdir()))
    ours = ks.data.image_folder(folder, SIDE, BATCH, drop_remainder=False)
    keras_utility = keras.utils.image_dataset_from_directory(
        folder, labels=None, image_size=(SIDE, SIDE), batch_size=BATCH, verbose=False
    )
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = [paths[::2], paths[1::2]]
        readers = {
            "image_folder": lambda: [None for _ in ours],
            "PIL, two processes": lambda: pool.map(pil_crops, halves, chunksize=1),
            "image_dataset_from_directory": lambda: [None for _ in keras_utility],
        }
        medians, times = in_turns(list(readers.values()), rounds)
    ratios = [statistics.median(row[place] / row[0] for row in times) for place in range(3)]
    print("\n| reader | images/s | image_folder is so many times as fast |\n|---|---|---|")
    rows = []
    for name, median, ratio in zip(readers, medians, ratios, strict=True):
        rows.append({"reader": name, "images_per_second": len(paths) / median, "ratio": ratio})
        print(f"| {name} | {len(paths) / median:.0f} | {ratio:.2f} |")
    return rows


def large(_, rounds):
    """Images/s of each, and the ratio."""
    import keras_simmim as ks

    with (
        tempfile.TemporaryDirectory() as base,
        multiprocessing.get_context("spawn").Pool(2) as pool,
    ):
        make_photos(Path(base), (4000, 3000), LARGE, LARGE_COPIES)
        paths = sorted(map(str, Path(base).iterdir()))
        halves = [(paths[start::2], 224, True) for start in range(2)]
        ours = ks.data.image_folder(base, 224, BATCH, drop_remainder=False)
        functions = [
            lambda: [None for _ in ours],
            lambda: pool.starmap(pil_crops, halves, chunksize=1),
        ]
        medians, times = in_turns(functions, rounds)
    row = {
        "images_per_second": len(paths) / medians[0],
        "pil_images_per_second": len(paths) / medians[1],
        "ratio": statistics.median(second / first for first, second in times),
        "load": os.getloadavg()[0],
    }
    print("\n| image_folder, images/s | PIL with draft, two processes | ratio |\n|---|---|---|")
    print("| {:.0f} | {:.0f} | {:.2f} |".format(*row.values()))
    return row


def cache(folder, rounds):
    """Seconds of the first and of the second epoch, each time of a new data set."""
    import keras_simmim as ks

    rows = []
    print("\n| photos | side | first epoch, images/s | second | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as base:
        make_photos(Path(base), (4000, 3000), LARGE, LARGE_COPIES)
        for name, source, side in (
            ("500×375", folder, SIDE),
            ("500×375", folder, 64),
            ("4000×3000", base, 224),
        ):
            times = []
            for _ in range(rounds):
                dataset = ks.data.image_folder(source, side, BATCH, cache="memory")
                times.append([seconds(lambda d=dataset: [None for _ in d]) for _ in range(2)])
            first, second = (statistics.median(column) for column in zip(*times, strict=True))
            row = {
                "photos": name,
                "side": side,
                "first_images_per_second": dataset.image_count / first,
                "second_images_per_second": dataset.image_count / second,
                "ratio": statistics.median(one / other for one, other in times),
                "load": os.getloadavg()[0],
            }
            rows.append(row)
            print("| {} | {} | {:.0f} | {:.0f} | {:.2f} |".format(*row.values()))
    return rows


def shards(folder, rounds):
    """The ratio of the speeds, and what it took to pack the folder."""
    import keras_simmim as ks

    rows = []
    print("\n| photos | folder, images/s | shards, images/s | ratio | packed, images/s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as base:
        large = Path(base) / "large"
        large.mkdir()
        make_photos(large, (4000, 3000), LARGE, LARGE_COPIES)
        for name, source, side in (("500×375", folder, SIDE), ("4000×3000", large, 224)):
            output = Path(base) / name
            packed = seconds(lambda s=source, o=output: ks.data.write_shards(s, o, SHORTER))
            options = {"image_size": side, "batch_size": BATCH, "drop_remainder": False}
            readers = (
                ks.data.image_folder(source, **options),
                ks.data.from_webdataset(f"{output}/*.tar", cache_dir=base, **options),
            )
            functions = [lambda reader=reader: [None for _ in reader] for reader in readers]
            medians, times = in_turns(functions, rounds)
            count = readers[0].image_count
            row = {
                "photos": name,
                "folder_images_per_second": count / medians[0],
                "shards_images_per_second": count / medians[1],
                "ratio": statistics.median(first / second for first, second in times),
                "packed_images_per_second": count / packed,
                "load": os.getloadavg()[0],
            }
            rows.append(row)
            print("| {} | {:.0f} | {:.0f} | {:.2f} | {:.0f} |".format(*row.values()))
    return rows


def epochs(folder, counts):
    """Each size in a process of its own, whose memory is looked at after its epochs."""
    names = ("first_batch_seconds", "later_first_batch_seconds", "repeated_first_batch_seconds")
    rows = []
    print("\n| images | s to the first batch | of a later epoch | by repeat() | µs an image | MB |")
    print("|---|---|---|---|---|---|")
    for count in counts:
        command = [sys.executable, __file__, "--epoch-of", str(folder), "--count", str(count)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        row = json.loads(output.strip().splitlines()[-1])
        rows.append(row)
        starts = " | ".join(f"{row[name]:.3f}" if name in row else "" for name in names)
        each = f"{row['microseconds_an_image']:.0f}" if "microseconds_an_image" in row else ""
        memory = ", ".join(f"{megabytes:.0f}" for megabytes in row["resident_megabytes"])
        print(f"| {count:,} | {starts} | {each} | {memory} |")
    return rows


def epoch_of(folder, count):
    """Epochs over links to small copies of the photos, which decode in no time.

    Of more images than 100,000 the starts alone: an epoch would take minutes.
    """
    import psutil

    import keras_simmim as ks

    with tempfile.TemporaryDirectory() as base:
        originals = []
        (Path(base) / "originals").mkdir()
        for path in sorted(folder.iterdir())[:1000]:
            small = Path(base) / "originals" / path.name
            Image.open(path).resize((64, 48)).save(small)
            originals.append(small)
        linked = Path(base) / "linked"
        for number in range(count):
            part = linked / f"{number // 1000:03d}"
            part.mkdir(parents=True, exist_ok=True)
            os.link(originals[number % len(originals)], part / f"{number:06d}.jpg")

        def megabytes():
            return psutil.Process().memory_info().rss / 2**20

        start = time.perf_counter()
        dataset = ks.data.image_folder(linked, 32, BATCH, labels=None)
        next(iter(dataset))
        row = {"images": count, "first_batch_seconds": time.perf_counter() - start}
        row["later_first_batch_seconds"] = statistics.median(
            seconds(lambda: next(iter(dataset))) for _ in range(5)
        )
        row["resident_megabytes"] = [megabytes()]
        if count <= 100_000:
            times = []
            for _ in range(2):
                times.append(seconds(lambda: [None for _ in dataset]))
                row["resident_megabytes"].append(megabytes())
            row["microseconds_an_image"] = 1e6 * min(times) / count
            endless = iter(dataset.repeat())
            for _ in range(len(dataset)):
                next(endless)
            row["repeated_first_batch_seconds"] = seconds(lambda: next(endless))
    print(json.dumps(row))


def waiting(folder, rounds):
    """The default network of examples/train.py at its 64², batch 32, on the photos."""
    import keras

    import keras_simmim as ks

    def endless(dataset):
        while True:
            yield from dataset

    batch_size = 32
    read = endless(ks.data.image_folder(folder, 64, batch_size))
    cached_set = ks.data.image_folder(folder, 64, batch_size, cache="memory")
    for _ in cached_set:  # an epoch that fills it
        pass
    cached, kept = endless(cached_set), endless([next(read)])
    backbone = ks.backbones.ViT((64, 64, 3), 16, num_layers=4, num_heads=4, hidden_dim=128)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, block_size=1))
    is_tensorflow = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.AdamW(1e-3), jit_compile=is_tensorflow or "auto")
    steps = len(list(folder.iterdir())) // batch_size

    def train(source):
        for _ in range(steps):
            model.train_on_batch(np.asarray(next(source)))

    sources = (read, cached, kept)
    medians, times = in_turns([functools.partial(train, each) for each in sources], rounds)
    rows = []
    print("\n| backend | images | step, ms | share of waiting |\n|---|---|---|---|")
    for number, name in enumerate(("read", "cached", "one kept batch")):
        row = {
            "backend": keras.backend.backend(),
            "images": name,
            "step_milliseconds": 1e3 * medians[number] / steps,
            "share_waiting": statistics.median(1 - row[2] / row[number] for row in times),
        }
        rows.append(row)
        print("| {} | {} | {:.1f} | {:.1%} |".format(*row.values()))
    return rows


IMPORTS = """
import time
started = time.perf_counter()
import keras
loaded = time.perf_counter()
import keras_simmim
print(loaded - started, time.perf_counter() - loaded)
"""


def import_time(rounds):
    """In new processes, the first of which warms the disk's cache up."""
    command = [sys.executable, "-c", IMPORTS]
    outputs = [subprocess.check_output(command, text=True) for _ in range(rounds + 1)][1:]
    times = [[float(number) for number in output.split()] for output in outputs]
    keras_alone, beyond = (statistics.median(column) for column in zip(*times, strict=True))
    print("\n| import keras, s | keras_simmim beyond it, s |\n|---|---|")
    print(f"| {keras_alone:.2f} | {beyond:.2f} |")
    return {"keras_seconds": keras_alone, "beyond_seconds": beyond}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    questions = ("input", "large", "cache", "shards", "epochs", "waiting", "import")
    parser.add_argument("--questions", nargs="+", default=questions, choices=questions)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--counts", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--epoch-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.epoch_of:
        epoch_of(options.epoch_of, options.count)
        return
    file = RESULTS / "data.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        make_photos(folder)
        answers = {
            "input": lambda: input_speed(folder, options.rounds),
            "large": lambda: large(folder, options.rounds),
            "cache": lambda: cache(folder, options.rounds),
            "shards": lambda: shards(folder, options.rounds),
            "epochs": lambda: epochs(folder, options.counts),
            "waiting": lambda: waiting(folder, options.rounds),
            "import": lambda: import_time(options.rounds),
        }
        for question in options.questions:
            results[question] = answers[question]()
            RESULTS.mkdir(exist_ok=True)
            file.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
