"""How well is an accelerator used? Speed, share of its peak, memory and compile time.

python benchmarks/gpu.py                     # torch and JAX, 8 minutes on one card
python benchmarks/gpu.py --only speed --out DIR
python benchmarks/gpu.py --tiny              # the same questions of tiny networks, on a CPU
python benchmarks/gpu.py table               # what was measured, as tables

ViT-Small/16 and ViT-Base/16 at 224², batch 256 (halved where the memory does not hold it),
mixed_bfloat16, AdamW, the images already on the device. Each cell is a process of its own with a
limit of time; what it found is written at once, and what failed is written as failed, with its
last line. Cells that DIR/gpu.jsonl has already are left out.

Neither TensorFlow nor a network connection is needed. Steps are timed in groups, the device
waited for behind each group; those of several contestants take turns. The peak is that of
products of large bfloat16 matrices by the same framework in the same process.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpu_steps import in_turns, peak_flops, peak_gigabytes, stepper
from gpu_work import step_flops

# Width, blocks, heads, side of the images, side of a patch, batch.
SIZES = {
    "small": (384, 12, 6, 224, 16, 256),
    "base": (768, 12, 12, 224, 16, 256),
    "tiny": (32, 2, 2, 16, 4, 4),
}
# What, on which backend, of which size: the most important first.
CELLS = (
    ("speed", "torch", "small"),
    ("speed", "jax", "small"),
    ("peers", "torch", "small"),
    ("speed", "torch", "base"),
    ("speed", "jax", "base"),
    ("losses", "torch", "small"),
    ("profile", "torch", "small"),
    ("profile", "jax", "small"),
    ("losses", "jax", "small"),
    ("peers", "torch", "base"),
)
# Keras needs all of these, and nothing of it comes with torch or JAX.
NEEDED = ["keras", "namex", "optree", "absl", "rich", "h5py", "ml_dtypes", "packaging"]
NEEDED += ["numpy", "PIL"]
# Tiny cells ask whether all this runs: in float32, with as little compiled as can be.
TINY = {"TORCHDYNAMO_DISABLE": "1", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


def our_model(size, encode="all", jit_compile="auto"):
    import keras

    import keras_simmim as ks

    width, blocks, heads, side, patch, _ = SIZES[size]
    keras.utils.set_random_seed(0)
    backbone = ks.backbones.ViT((side, side, 3), patch, blocks, heads, width, class_token=True)
    masking = ks.masking.SpatialMasking(0.75, 1 if encode == "visible" else 2)
    model = ks.SimMIM(backbone, masking, encode=encode)
    optimizer = ks.training.SelectiveAdamW(1e-4, weight_decay=0.05, global_clipnorm=5.0)
    model.compile(optimizer, jit_compile=jit_compile)
    return model


def pictures(size, batch, seed=0):
    """Waves of many lengths and colors: unlike noise, what is hidden can be learned."""
    import numpy as np

    generator, side = np.random.default_rng(seed), SIZES[size][3]
    place = np.arange(side) / side
    waves = np.zeros((batch, side, side, 3), "float32")
    for _ in range(4):
        rows, columns, phase, color = generator.uniform(-1, 1, (4, batch, 1, 1, 3))
        angle = 8 * (rows * place[:, None, None] + columns * place[:, None]) + 3 * phase
        waves += 30 * color * np.sin(np.pi * angle)
    return (waves + 128).clip(0, 255).astype("uint8")


def rounded(row):
    """Four digits of every number."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}


def speed(size, batch, out):
    """Of all patches and of the visible ones: images/s, share of the peak, memory, first step."""
    import keras

    images, tiny = pictures(size, batch), size == "tiny"
    groups, length = (2, 2) if tiny else (7, 8)
    peak = peak_flops(tiny) / 1e12
    yield {"peak_tflop_per_s": peak}

    def measures(seconds, encode):
        work = step_flops(*SIZES[size][:5], batch, encode) / 1e12
        return {
            f"{encode}_ms": 1000 * seconds,
            f"{encode}_images_per_s": batch / seconds,
            f"{encode}_of_peak": work / seconds / peak,
        }

    started = time.perf_counter()
    step, wait = stepper(our_model(size), images)
    step()
    wait()
    yield {"first_step_s": time.perf_counter() - started}
    alone = in_turns({"all": step}, wait, groups, length)["all"]
    yield measures(alone, "all") | {"peak_gb": peak_gigabytes()}
    if keras.backend.backend() == "jax":
        # Whether attention became one kernel of cuDNN's.
        yield {"cudnn_attentions": step.program.as_text().count("__cudnn$fmha")}
    visible, wait_for_visible = stepper(our_model(size, "visible"), images)

    def wait_for_both():
        wait()
        wait_for_visible()

    seconds = in_turns({"all": step, "visible": visible}, wait_for_both, groups, length)
    yield measures(seconds["visible"], "visible")
    yield {"visible_to_all": seconds["all"] / seconds["visible"]}
    yield {"fit_images_per_s": speed_of_fit(our_model(size), images, 2 * length)}


def speed_of_fit(model, images, steps):
    """Images/s of `fit`, which copies each batch to the device: of the second of two epochs."""
    import keras

    class Repeated(keras.utils.PyDataset):
        def __len__(self):
            return steps

        def __getitem__(self, index):
            return (images,)

    ends = []
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    model.fit(Repeated(), epochs=2, verbose=0, callbacks=[told])
    return steps * len(images) / (ends[1] - ends[0])


def peers(size, batch, out):
    """Beside Hugging Face's network of the same size, each called as it is and compiled."""
    from gpu_peers import hugging_face_steps

    images, steps = pictures(size, batch), {}
    for name, jit_compile in (("ours", False), ("ours_compiled", True)):
        steps[name], wait = stepper(our_model(size, jit_compile=jit_compile), images)
    steps |= hugging_face_steps(SIZES[size], images)
    # What takes the longest to compile comes last, lest the time be over before the others ran.
    for name in sorted(steps, key=lambda name: ("compiled" in name, "ours" in name)):
        started = time.perf_counter()
        try:
            steps[name]()
            wait()
        except Exception as error:
            # What does not compile on this machine must not take the others with it.
            if "out of memory" in str(error):
                raise
            yield {f"{name}_failed": last_line(str(error))}
            del steps[name]
            continue
        yield {f"{name}_first_step_s": time.perf_counter() - started}
        seconds = in_turns({name: steps[name]}, wait, 2, 2)
        yield {f"{name}_alone_images_per_s": batch / seconds[name]}
    seconds = in_turns(steps, wait, *((2, 2) if size == "tiny" else (7, 8)))
    for name, value in seconds.items():
        yield {f"{name}_images_per_s": batch / value}
        if name != "ours":
            yield {f"ours_to_{name}": value / seconds["ours"]}


def losses(size, batch, out):
    """The mean loss of the last 20 of 200 steps (4 of 10), in bfloat16 and in float32."""
    import keras

    steps, last = (10, 4) if size == "tiny" else (200, 20)
    SIZES["losses"] = SIZES["tiny"] if size == "tiny" else (192, 6, 3, 64, 8, 64)
    images = pictures("losses", SIZES["losses"][5])
    row = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        model = our_model("losses")
        # A rate at which so few steps change something.
        model.optimizer.learning_rate = 1e-3
        step, _ = stepper(model, images)
        logs = [step()["loss"] for _ in range(steps)]
        # Running means: what they are of so many steps.
        running = [float(logs[index]) for index in (0, -last - 1, -1)]
        row[policy] = (steps * running[2] - (steps - last) * running[1]) / last
        yield {f"{policy}_first": running[0], policy: row[policy]}
    yield {"bfloat16_to_float32": row["mixed_bfloat16"] / row["float32"]}


def profile(size, batch, out):
    """Write a trace of three steps, and the kernels that take the most time."""
    from gpu_profile import write_profile

    step, wait = stepper(our_model(size), pictures(size, batch))
    in_turns({"all": step}, wait, 1, 2)
    yield write_profile(step, wait, out, size)


def last_line(text):
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["nothing was said"])[
        -1
    ][:300]


def run_cell(cell, backend, size, batch, out, seconds):
    """One cell in a process of its own: what it found, and why that is not all if it is not."""
    command = [sys.executable, __file__, "--here", cell, size, str(batch), "--out", str(out)]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as said:
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # `fit` compiles what was compiled before; another cell must not profit.
            "JAX_COMPILATION_CACHE_DIR": folder,
            **os.environ,
            **(TINY if size == "tiny" else {}),
            "KERAS_BACKEND": backend,
        }
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True
        )
        try:
            output, failed = process.communicate(timeout=seconds)[0], None
        except subprocess.TimeoutExpired:
            process.kill()
            output, failed = process.communicate()[0], f"not done after {seconds:.0f} s"
        said.seek(0)
        errors = said.read()
    found = {}
    for line in output.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    if failed is None and process.returncode:
        memory = any(sign in errors for sign in ("out of memory", "RESOURCE_EXHAUSTED"))
        failed = "out of memory" if memory else last_line(errors)
    return found if failed is None else {**found, "failed": failed}


def read(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def table(rows):
    """Every row's numbers, cell by cell: the names across, what was measured down."""
    lines = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        own = [row for row in rows if row["cell"] == cell]
        names = list(dict.fromkeys(name for row in own for name in row if name != "cell"))
        heads = [f"{row['size']}, {row['backend']}" for row in own]
        lines += [f"\n{cell}\n", f"| | {' | '.join(heads)} |", "|---" * (len(own) + 1) + "|"]
        for name in names:
            if name not in ("backend", "size"):
                lines.append(f"| {name} | {' | '.join(str(row.get(name, '')) for row in own)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", default="run", choices=("run", "table"))
    parser.add_argument("--tiny", action="store_true", help="tiny networks, for a CPU")
    parser.add_argument("--only", nargs="+", default=[], help="cells, backends or sizes")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--minutes", type=float, default=8, help="no cell goes on for longer")
    parser.add_argument("--here", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        import keras

        cell, size, batch = options.here
        keras.config.set_dtype_policy("float32" if size == "tiny" else "mixed_bfloat16")
        for found in globals()[cell](size, int(batch), options.out):
            print(json.dumps(rounded(found)), flush=True)
        return
    ending = time.perf_counter() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / ("gpu-tiny.jsonl" if options.tiny else "gpu.jsonl")
    if options.what == "table":
        print(table(read(file)))
        return
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"not installed, and needed by Keras: {', '.join(missing)}")
    done = {(row["cell"], row["backend"], row["size"]) for row in read(file) if "failed" not in row}
    cells = CELLS
    if options.tiny:
        cells = list(dict.fromkeys((cell, backend, "tiny") for cell, backend, _ in CELLS))
    for cell, backend, size in cells:
        asked = not options.only or {cell, backend, size} & set(options.only)
        if not asked or (cell, backend, size) in done:
            continue
        row = {"cell": cell, "backend": backend, "size": size, "batch": SIZES[size][5]}
        if importlib.util.find_spec(backend) is None:
            found = {"failed": f"{backend} is not installed"}
        while importlib.util.find_spec(backend) is not None:
            left = ending - time.perf_counter()
            if left < 15:
                found = {"failed": "not begun, as the time was over"}
                break
            found = run_cell(cell, backend, size, row["batch"], options.out, min(left, 150))
            if found.get("failed") != "out of memory" or row["batch"] < 2:
                break
            row["batch"] //= 2
        with file.open("a") as lines:
            lines.write(json.dumps(row | found) + "\n")
        print(row | found, flush=True)
    print(table(read(file)))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
