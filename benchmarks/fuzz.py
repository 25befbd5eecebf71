"""Do the loaders and the image pipeline meet damaged input with anything but documented errors?

python benchmarks/fuzz.py                          # 56,000 inputs, a summary, the results as JSON
python benchmarks/fuzz.py --target images --inputs 500 --seed 3

Each input is a whole, valid file or folder with something changed: bytes, a length, or, inside
intact containers, a value of the configuration. It must be read, or refused by an error that is
documented and names it. Each target runs in a process of its own, so that a crash is seen too.
"""

import argparse
import copy
import functools
import gc
import io
import json
import logging
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import fuzz_shards

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RESULTS = Path(__file__).parent / "results" / "fuzz.json"
SHARES = {"pth": 5000, "images": 5000, "hugging_face": 250, "preset": 250, "keras": 250}
SHARES |= {"checkpoints": 250}
FORMATS = ("tiff", "dicom", "npy", "npz", "deep_png", "avif", "heic")  # see format_files.py
SHARES |= dict.fromkeys((*FORMATS, "tar", "parquet"), 5000)
MEMORY = 16 * 2**30  # bytes that an input may not make the process take
VALUES = (None, True, -1, 0, 1, 3, 7, 0.5, float("nan"), 1e300, "", "x", [], [1, 2], {}, {"a": 1})


class Fuzz:
    """Changes of bytes and of values, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def bytes(self, content: bytes) -> bytes:
        """Cut, repeated or changed at one to eight places."""
        changed = bytearray(content)
        kind = self.random.randrange(8)
        if kind == 0:
            return content[: self.random.randrange(len(content))]
        if kind == 1:
            start = self.random.randrange(len(content))
            return content[:start] + content[start // 2 :]
        for _ in range(self.random.randint(1, 8)):
            # Headers are where lengths and types stand.
            end = len(changed) if self.random.random() < 0.5 else min(len(changed), 600)
            changed[self.random.randrange(end)] = self.random.choice(
                (self.random.randrange(256), 0, 255, 127, 128)
            )
        return bytes(changed)

    def json(self, content: bytes) -> bytes:
        """With one to three values replaced, removed or doubled."""
        value = json.loads(content)
        for _ in range(self.random.randint(1, 3)):
            place = value
            while True:
                inner = [v for v in _parts(place) if isinstance(v, dict | list) and v]
                if not inner or self.random.random() < 0.3:
                    break
                place = self.random.choice(inner)
            if not place:
                continue
            key = self.random.choice(list(place) if isinstance(place, dict) else range(len(place)))
            kind = self.random.randrange(4)
            if kind == 0:
                del place[key]
            elif kind == 1 and isinstance(place[key], int | float):
                place[key] = place[key] * self.random.choice((-1, 2, 3, 0.5))
            else:
                place[key] = copy.deepcopy(self.random.choice(VALUES))
        return json.dumps(value).encode()


def _parts(value: dict | list) -> list:
    return list(value.values() if isinstance(value, dict) else value)


def unzip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezip(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in parts.items():
            archive.writestr(name, value)
    return file.getvalue()


def inside(fuzz: Fuzz, content: bytes) -> bytes:
    """A zip archive with one of its parts changed, and checksums that agree."""
    parts = unzip(content)
    name = fuzz.random.choice(list(parts))
    change = fuzz.json if name.endswith(".json") and fuzz.random.random() < 0.8 else fuzz.bytes
    if not parts[name]:
        return content
    return rezip({**parts, name: change(parts[name])})


# ------------------------------------------------------- targets: what an input is, how it is read
# Each takes a folder, writes valid files, and returns a function that changes and reads one.


def small_model():
    import keras

    import keras_simmim as ks

    backbone = ks.backbones.ViT((8, 8, 3), 4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8)
    model = ks.SimMIM(backbone, ks.masking.SpatialMasking(0.6, 1))
    model.compile(keras.optimizers.AdamW(1e-3))
    model.optimizer.build(model.trainable_variables)
    return model


def pth(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    import torch

    from keras_simmim import pretrained

    golden = Path(__file__).parents[1] / "tests" / "pretrained" / "golden"
    shapes = json.loads((golden / "official_vit.json").read_text())["shapes"]
    arrays = {name: torch.rand(tuple(shape)) for name, shape in shapes.items()}
    torch.save({"model": arrays, "epoch": 1}, folder / "whole.pth")
    whole = (folder / "whole.pth").read_bytes()

    def one() -> None:
        content = inside(fuzz, whole) if fuzz.random.random() < 0.5 else fuzz.bytes(whole)
        (folder / "fuzzed.pth").write_bytes(content)
        pretrained.load(str(folder / "fuzzed.pth"))

    return one


def keras_file(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    from keras_simmim import pretrained

    small_model().save(folder / "whole.keras")
    whole = (folder / "whole.keras").read_bytes()

    def one() -> None:
        content = inside(fuzz, whole) if fuzz.random.random() < 0.8 else fuzz.bytes(whole)
        (folder / "fuzzed.keras").write_bytes(content)
        pretrained.load(str(folder / "fuzzed.keras"))

    return one


def fuzzed_directory(
    folder: Path, fuzz: Fuzz, read: Callable[[Path], object]
) -> Callable[[], None]:
    """One that changes one file of `folder / "whole"` and reads its copy."""
    files = [path for path in (folder / "whole").rglob("*") if path.is_file()]
    contents = {path.relative_to(folder / "whole"): path.read_bytes() for path in files}

    def one() -> None:
        shutil.rmtree(folder / "fuzzed", ignore_errors=True)
        for name, content in contents.items():
            (folder / "fuzzed" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "fuzzed" / name).write_bytes(content)
        name = fuzz.random.choice(list(contents))
        is_json = name.suffix == ".json" and fuzz.random.random() < 0.8
        change = fuzz.json if is_json else fuzz.bytes
        (folder / "fuzzed" / name).write_bytes(change(contents[name]))
        read(folder / "fuzzed")

    return one


def preset(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    from keras_simmim import pretrained

    pretrained.save(small_model(), folder / "whole")
    return fuzzed_directory(folder, fuzz, lambda path: pretrained.load(str(path)))


def hugging_face(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    import transformers

    from keras_simmim import pretrained

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 8, "image_size": 8, "patch_size": 4, "encoder_stride": 4}
    configuration = transformers.ViTConfig(**sizes)
    transformers.ViTForMaskedImageModeling(configuration).save_pretrained(folder / "whole")
    normalisation = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "whole" / "preprocessor_config.json").write_text(json.dumps(normalisation))
    return fuzzed_directory(folder, fuzz, lambda path: pretrained.load(str(path)))


def run_checkpoints(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    import keras_simmim as ks
    from keras_simmim.training import checkpoint_files as files

    model = small_model()
    for step in range(2):
        model.step.assign(step)
        files.write(model, folder / "whole", epoch=1, batch=step)

    def read(path: Path) -> None:
        # Half of the changed states get a checksum that agrees, as an attacker would give them.
        for state in path.rglob("run.json"):
            if fuzz.random.random() < 0.5:
                try:
                    content = json.loads(state.read_text())
                    content.pop("sha256", None)
                    state.write_text(json.dumps({**content, "sha256": files._digest(content)}))
                except (ValueError, AttributeError):
                    pass
        ks.training.resume(path)

    return fuzzed_directory(folder, fuzz, read)


def images(folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    import numpy as np
    from PIL import Image

    from keras_simmim import data

    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype="uint8")
    whole = {}
    for name in ("jpg", "png", "gif", "bmp", "webp"):
        Image.fromarray(pixels).save(folder / f"whole.{name}")
        whole[name] = (folder / f"whole.{name}").read_bytes()
    Image.fromarray(pixels).save(folder / "whole.jpg", progressive=True)
    whole["jpeg"] = (folder / "whole.jpg").read_bytes()
    place = folder / "images"

    def one() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        # One that is whole, as a folder without any is refused.
        (place / "0.png").write_bytes(whole["png"])
        for number in range(1, BATCH + 1):
            ending, content = fuzz.random.choice(list(whole.items()))
            (place / f"{number:03}.{ending}").write_bytes(fuzz.bytes(content))
        dataset = data.image_folder(place, 16, batch_size=5)
        batches = list(dataset.as_numpy_iterator())
        if len(batches) != (BATCH + 1) // 5:
            raise AssertionError(f"{len(batches)} batches")

    return one


def of_format(name: str, folder: Path, fuzz: Fuzz) -> Callable[[], None]:
    """Folders of changed files of a format, each with as many channels as there are."""
    from format_files import format_files

    from keras_simmim import data

    whole = format_files(name, folder)
    ending = {"tiff": "tif", "dicom": "dcm", "deep_png": "png"}.get(name, name)
    ranges = [(-2, 30000), "percentiles", *(["window"] if name == "dicom" else [])]
    ranges = [(0, 30000), "percentiles", "dtype"] if name == "deep_png" else ranges
    place, count = folder / "images", AT_ONCE[name]

    def one() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        kind = fuzz.random.choice(list(whole))
        (place / f"000.{ending}").write_bytes(whole[kind])
        for number in range(1, count + 1):
            kind = fuzz.random.choice(list(whole))
            change = inside if name == "npz" and fuzz.random.random() < 0.5 else None
            content = change(fuzz, whole[kind]) if change else fuzz.bytes(whole[kind])
            (place / f"{number:03}.{ending}").write_bytes(content)
        options = {"channels": "all", "value_range": fuzz.random.choice(ranges)}
        # In training others take the places of the broken ones, one after the other.
        training = fuzz.random.random() < 0.2
        dataset = data.image_folder(place, 16, 5, training=training, **options)
        batches = list(dataset.as_numpy_iterator())
        images = sum(map(len, batches)) + (0 if training else len(dataset.broken_files))
        if images // 5 * 5 != count // 5 * 5:
            raise AssertionError(f"{images} images of {count}")
        if not all(0 <= batch.min() <= batch.max() <= 255 for batch in batches):
            raise AssertionError("pixels that are not 0-255")

    return one


BATCH = 50  # images of one folder
# Of one format; hardly any PNG is intact when it was changed, and each asks all others.
AT_ONCE = {
    **dict.fromkeys(FORMATS, 250),
    **dict.fromkeys(("tar", "parquet"), fuzz_shards.SHARDS),
    **dict.fromkeys(("deep_png", "images"), BATCH),
}
TARGETS = {
    "pth": pth,
    "images": images,
    "hugging_face": hugging_face,
    "preset": preset,
    "keras": keras_file,
    "checkpoints": run_checkpoints,
}
TARGETS |= {name: functools.partial(of_format, name) for name in FORMATS}
TARGETS |= {"tar": fuzz_shards.tar, "parquet": fuzz_shards.parquet}


CLEAR_AFTER = 20  # inputs, many of which become a model


def clear() -> None:
    """Free the models that were read: Keras keeps names of all, and cycles hold them."""
    import keras

    keras.backend.clear_session()
    gc.collect()


def run(target: str, inputs: int, seed: int) -> dict:
    """Read so many changed inputs; what came of them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.getLogger("keras_simmim").setLevel(logging.CRITICAL)
    outcomes: Counter[str] = Counter()
    undocumented, started = [], time.time()
    at_once = AT_ONCE.get(target, 1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        one = TARGETS[target](folder, Fuzz(seed))
        for number in range(-(-inputs // at_once)):
            if number % CLEAR_AFTER == 0:
                clear()
            try:
                one()
                outcomes["read"] += at_once
            except (ValueError, OSError) as error:
                outcomes[f"refused ({type(error).__name__})"] += at_once
                if temporary not in str(error):
                    undocumented.append(f"input {number} is not named: {error}"[:300])
            except Exception as error:
                undocumented.append(f"input {number}: {type(error).__name__}: {error}"[:300])
    return {
        "inputs": sum(outcomes.values()) + len(undocumented),
        "outcomes": dict(outcomes),
        "undocumented": undocumented,
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "seconds": round(time.time() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=TARGETS, help="default: all")
    parser.add_argument("--inputs", type=int, help="of each target; default: 56,000 in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="a JSON file to write")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inputs is not None and options.inputs < 1:
        parser.error("--inputs must be at least 1")
    if options.here:
        print(json.dumps(run(options.target, options.inputs, options.seed)))
        return
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    for target in [options.target] if options.target else TARGETS:
        inputs = options.inputs or SHARES[target]
        command = [sys.executable, __file__, "--here", "--target", target]
        command += ["--inputs", str(inputs), "--seed", str(options.seed)]
        # The decoders talk about each damaged image.
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.run(command, text=True, **quiet)
        if process.returncode:
            found = {"inputs": 0, "undocumented": [f"the process ended with {process.returncode}"]}
        else:
            found = json.loads(process.stdout.splitlines()[-1])
        results[target] = found
        options.results.parent.mkdir(exist_ok=True)
        options.results.write_text(json.dumps(results, indent=2) + "\n")
        print(f"{target}: {found}", flush=True)
    total = sum(found["inputs"] for found in results.values())
    wrong = sum(len(found["undocumented"]) for found in results.values())
    print(f"{total:,} inputs, {wrong} of them with an undocumented error.")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
