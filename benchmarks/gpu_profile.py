"""Write what a few steps spend their time on: a trace to look at, and a list of what is longest."""

import gzip
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

LARGEST = 20_000_000


def write_profile(step, wait, out, size):
    """Trace three steps into `out`; the trace is left out where it is above 20 MB."""
    import keras

    backend = keras.backend.backend()
    with tempfile.TemporaryDirectory() as folder:
        trace = (torch_trace if backend == "torch" else jax_trace)(step, wait, Path(folder))
        times, device = times_of(json.loads(gzip.decompress(trace.read_bytes())))
        name = f"gpu-profile-{size}-{backend}"
        size_of_trace = trace.stat().st_size
        if size_of_trace <= LARGEST:
            shutil.copy(trace, out / f"{name}.json.gz")
    total = sum(times.values())
    lines = [
        f"{us / 3000:9.3f} ms a step {us / total:6.1%}  {what}"
        for what, us in times.most_common(60)
    ]
    (out / f"{name}.txt").write_text("\n".join(lines) + "\n")
    attention = sorted(what for what in times if any(k in what for k in ("flash", "fmha", "sdpa")))
    return {
        "trace_mb": size_of_trace / 1e6,
        "traced": device,
        "busy_ms_a_step": total / 3000,
        "longest": [f"{us / total:.1%} {what[:80]}" for what, us in times.most_common(8)],
        "attention": [what[:80] for what in attention[:4]],
    }


def torch_trace(step, wait, folder):
    import torch

    with torch.profiler.profile() as profiler:
        for _ in range(3):
            step()
        wait()
    file = folder / "trace.json.gz"
    profiler.export_chrome_trace(str(file))
    return file


def jax_trace(step, wait, folder):
    import jax

    with jax.profiler.trace(str(folder)):
        for _ in range(3):
            step()
        wait()
    return next(folder.rglob("*.trace.json.gz"))


def times_of(trace):
    """Microseconds by the name of what ran on the device; of the host where there is none."""
    events = [each for each in trace["traceEvents"] if each.get("ph") == "X"]
    devices = {
        each["pid"]
        for each in trace["traceEvents"]
        if each.get("name") == "process_name" and "/device:GPU" in str(each.get("args"))
    }
    kernels = [e for e in events if e.get("cat") == "kernel" or e.get("pid") in devices]
    # JAX repeats a device's kernels in lanes of modules and operations.
    lanes = {
        (each["pid"], each["tid"])
        for each in trace["traceEvents"]
        if each.get("name") == "thread_name" and "Stream" in str(each.get("args"))
    }
    if devices and lanes:
        kernels = [e for e in kernels if (e["pid"], e["tid"]) in lanes]
    times = Counter()
    for each in kernels or events:
        times[each["name"]] += each.get("dur", 0)
    return times, "device" if kernels else "host"
