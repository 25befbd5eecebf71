"""Does a run survive a folder with broken files, and does it name every one of them?

KERAS_BACKEND=torch python benchmarks/bad_files.py      # 10,000 files, 1% of them broken

A tiny network trains for two epochs on the folder. Printed is how many files there were of each
kind, how many of them were named as broken, and with which reason. Unusual files that are images
all the same (CMYK, 1-bit, animated, turned by EXIF) must not be named.
"""

import argparse
import contextlib
import io
import json
import os
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parent / "results"
SCRIPTS = ("图像", "изображение", "صورة", "תמונה", "चित्र", "ภาพ", "絵😀", "é̀", "a 'b' \"c\" #%")


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph(generator, mode="RGB"):
    blocks = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((64, 48), Image.Resampling.BICUBIC).convert(mode)


def huge(contents):
    """A PNG whose header states 60,000×60,000 pixels."""
    return contents[:16] + struct.pack(">II", 60_000, 60_000) + contents[24:]


def turned(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", exif=exif.tobytes())


# From a photograph and a random generator to the bytes of a file and its extension.
BROKEN = {
    "truncated JPEG": lambda image, _: (encoded(image, "JPEG")[:-300], "jpg"),
    "truncated PNG": lambda image, _: (encoded(image, "PNG")[:-300], "png"),
    "zero bytes": lambda image, _: (b"", "jpg"),
    "text with an image's extension": lambda image, _: (b"this is no image" * 20, "png"),
    "noise": lambda image, random: (random.bytes(2000), "jpg"),
    "huge dimensions": lambda image, _: (huge(encoded(image, "PNG")), "png"),
    "animated WebP": lambda image, _: (
        encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)]),
        "webp",
    ),
    "1-bit BMP": lambda image, _: (encoded(image.convert("1"), "BMP"), "bmp"),
    "no permission": None,
    "link to itself": None,
    "link to nowhere": None,
}
UNUSUAL = {
    "PNG named .jpg": lambda image, _: (encoded(image, "PNG"), "jpg"),
    "CMYK JPEG": lambda image, _: (encoded(image.convert("CMYK"), "JPEG"), "jpg"),
    "1-bit PNG": lambda image, _: (encoded(image.convert("1"), "PNG"), "png"),
    "animated GIF": lambda image, _: (
        encoded(image, "GIF", save_all=True, append_images=[image.rotate(180)]),
        "gif",
    ),
    "turned by EXIF": lambda image, random: (turned(image, int(random.integers(2, 9))), "jpg"),
}


def make_bad_folder(path, count=10_000, share=0.01, seed=0):
    """Write a folder of images of which some are broken, and as many are unusual.

    Args:
        path: folder to make.
        count: files in it.
        share: of them that are broken, every kind as often as every other.
        seed: of the images.

    Returns:
        Dictionaries from the paths of the broken files, and of the unusual ones, to their kinds.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # for the user who reads without privileges
    (folder / "again").symlink_to(folder)  # a folder within itself
    generator = np.random.default_rng(seed)
    intact = [encoded(photograph(generator), "JPEG", quality=85) for _ in range(100)]
    number_broken = round(count * share)
    broken, unusual = {}, {}
    for number in range(count):
        name = f"{number:06d} {SCRIPTS[number % len(SCRIPTS)]}"
        if number < 2 * number_broken:
            kinds, named = (BROKEN, broken) if number % 2 else (UNUSUAL, unusual)
            kind = list(kinds)[number // 2 % len(kinds)]
            if kinds[kind] is None:
                file = folder / f"{name}.jpg"
                if kind == "no permission":
                    file.write_bytes(intact[0])
                    file.chmod(0)
                else:
                    file.symlink_to(file.name if kind == "link to itself" else "nowhere.jpg")
            else:
                contents, extension = kinds[kind](photograph(generator), generator)
                file = folder / f"{name}.{extension}"
                file.write_bytes(contents)
            named[str(file)] = kind
        else:
            (folder / f"{name}.jpg").write_bytes(intact[number % len(intact)])
    return broken, unusual


@contextlib.contextmanager
def without_privileges():
    """Root reads every file; for this while it is somebody whom permissions bind.

    Whoever that is may not read Python's own files: what is needed must have been imported.
    """
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def train(path, epochs=2):
    """Train a tiny network on a folder.

    Returns:
        The data set, its steps in each epoch, the last loss.
    """
    import keras

    import keras_simmim as ks

    backbone = ks.backbones.ViT((32, 32, 3), 8, num_layers=1, num_heads=2, hidden_dim=32)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, block_size=1))
    model.compile(keras.optimizers.AdamW(1e-3))
    dataset = ks.data.image_folder(path, 32, 64)
    steps = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: steps.append(int(model.step)))
    history = model.fit(dataset, epochs=epochs, verbose=0, callbacks=[count])
    return dataset, np.diff([0, *steps]).tolist(), history.history["loss"][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="files")
    parser.add_argument("--share", type=float, default=0.01, help="of them broken")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.count < 1 or not 0 <= options.share <= 0.5:
        parser.error("--count must be at least 1, --share within 0 and 0.5")
    import keras

    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        folder = Path(base) / "images"
        broken, unusual = make_bad_folder(folder, options.count, options.share, options.seed)
        make_bad_folder(Path(base) / "first", count=40, share=0.5)
        train(Path(base) / "first")
        start = time.perf_counter()
        with without_privileges():
            dataset, steps, loss = train(folder)
        seconds = time.perf_counter() - start
    named = dataset.broken_files
    print(f"{options.count} files, {len(broken)} broken, {len(named)} named; steps {steps}\n")
    print("| kind | files | named | reason |\n|---|---|---|---|")
    rows = []
    for kinds in (broken, unusual):
        for kind, number in Counter(kinds.values()).items():
            reasons = [named[path] for path in kinds if kinds[path] == kind and path in named]
            # Reasons that the system gives begin with the path.
            reason = reasons[0].rpartition("; ")[2][:90] if reasons else ""
            rows.append({"kind": kind, "files": number, "named": len(reasons), "reason": reason})
            print(f"| {kind} | {number} | {len(reasons)} | {reason} |")
    result = {
        "backend": keras.backend.backend(),
        "files": options.count,
        "broken": len(broken),
        "named": len(named),
        "exactly the broken ones": set(named) == set(broken),
        "steps": steps,
        "loss": loss,
        "seconds": round(seconds, 1),
        "kinds": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"bad_files_{result['backend']}.json"
    file.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if not result["exactly the broken ones"]:
        missed, wrong = sorted(set(broken) - set(named)), sorted(set(named) - set(broken))
        raise SystemExit(f"Broken but not named: {missed}. Named but not broken: {wrong}.")


if __name__ == "__main__":
    main()
