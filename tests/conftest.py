"""Small models and images that many tests share."""

import ctypes
import gc
import os
import resource
import subprocess
import sys
import threading
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tiny models spend their time in JAX's compiler; its own tests run with this setting too. What
# the optimizations change is seen by tests/test_optimized.py.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# The same for TensorFlow, where a step is compiled by XLA.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
# What hundreds of small models need for a moment is not to be kept: tests/test_memory.py.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "false")
# And for torch, whose kernels the C++ compiler makes.
os.environ.setdefault("AOT_INDUCTOR_DEBUG_COMPILE", "1")
# What one process has compiled, the other worker and processes that tests start need not.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import keras
import numpy as np
import pytest
from hypothesis import settings

import keras_simmim as ks

if keras.backend.backend() == "tensorflow" and "level=0" in os.environ["XLA_FLAGS"]:
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Traced graphs are millions of objects, through which the collector would go again and again.
gc.set_threshold(50_000, 50, 50)

# Compilation makes first calls slow, and a failure must repeat. JAX compiles anew every operation
# for every shape, which is what the examples differ in.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    max_examples=4 if keras.backend.backend() == "jax" else 10,
)
settings.load_profile("repeatable")

IMAGE_SHAPE = (16, 24, 3)
BACKENDS = {"tensorflow", "jax", "torch"}
PEAKS = pytest.StashKey[list[int]]()


def pytest_configure(config):
    """Start the list of the test processes' peaks of memory."""
    config.stash[PEAKS] = []


def pytest_ignore_collect(collection_path, config):
    """Do not even import a module that is long as a whole: what it needs may not be installed."""
    if config.option.markexpr == "not long" and collection_path.suffix == ".py":
        text = collection_path.read_text()
        marks = ("\npytestmark = pytest.mark.long\n", "\npytestmark = [pytest.mark.long,")
        return any(mark in text for mark in marks) or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what other backends run; what is fast on others alone is long here.

    What depends on no backend runs on torch, whose tests are the fastest. A long test that several
    backends would run is run by one of them, in turn from commit to commit, file by file, and by
    this one every third time if the fast tests have it on another. Of the cases of a test that is
    `turned(n)` one in n is run, likewise; a test of one case every n-th time. All of them would
    take hours: with TURN=all everything is run by every backend, with TURN=n what is run at commit
    n.
    """
    backend = keras.backend.backend()
    turn = turn_of() if config.option.markexpr == "long" else None

    def names(item, marker):
        return {name for mark in item.iter_markers(marker) for name in mark.args}

    left_out, met = [], {}
    for item in items:
        only = {"torch"} if item.get_closest_marker("any_backend") else names(item, "only_on")
        if only and backend not in only:
            left_out.append(item)
            continue
        fast = names(item, "fast_on")
        is_repeated = bool(fast) and not item.get_closest_marker("long")
        if fast and backend not in fast:
            item.add_marker(pytest.mark.long)
        if turn is not None and item.get_closest_marker("long"):
            long_on = sorted((only or BACKENDS) - fast)
            place = turn + zlib.crc32(str(item.path.relative_to(config.rootpath)).encode())
            turns, number = divmod(place, len(long_on))
            is_its = long_on[number] == backend
            if is_its and is_repeated:
                turns, missed = divmod(turns + zlib.crc32(item.originalname.encode()), 3)
                is_its = not missed
            mark = item.get_closest_marker("turned")
            if is_its and mark:
                first = zlib.crc32(item.originalname.encode())
                case = met[item.function] = met.get(item.function, first - 1) + 1
                is_its = (case - turns) % mark.args[0] == 0
            if not is_its:
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def turn_of():
    """The number of the commit, or of TURN; None if every backend is to run all."""
    turn = os.environ.get("TURN")
    if turn is None:
        command = ["git", "rev-list", "--count", "HEAD"]
        result = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
        turn = result.stdout.strip() or "0"
    return None if turn == "all" else int(turn)


def pytest_sessionfinish(session):
    """Tell the process that prints, or remember, this one's peak of memory in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak"] = peak
    elif not session.config.stash[PEAKS]:
        session.config.stash[PEAKS].append(peak)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Remember the peak of memory of a worker, unless it crashed."""
    node.config.stash[PEAKS] += [node.workeroutput["peak"]] if hasattr(node, "workeroutput") else []


def pytest_terminal_summary(terminalreporter, config):
    """Print the peaks of memory."""
    peaks = ", ".join(map(str, config.stash[PEAKS]))
    terminalreporter.write_line(f"peak memory of the test processes: {peaks} MB")


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_of_one_module():
    """Free what was compiled for a module after its last test."""
    keras.utils.set_random_seed(0)
    yield
    gc.collect()
    match keras.backend.backend():
        case "jax":
            import jax

            jax.clear_caches()
        case "tensorflow":
            from tensorflow.python.eager import context

            context.context().clear_kernel_cache()
        case "torch":
            # To import the compiler takes long and warns, and few tests need it.
            if "torch._dynamo" in sys.modules:
                sys.modules["torch"].compiler.reset()
    if sys.platform == "linux":
        # The C library would keep what was freed.
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """Seed the initializers."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def images():
    """Eight different images, uint8 (8, 16, 24, 3)."""
    return np.random.default_rng(0).integers(0, 256, (8, *IMAGE_SHAPE), dtype="uint8")


@pytest.fixture(scope="session")
def labels():
    """Labels of the eight images among three classes, two of them unlabelled."""
    return np.array([0, 1, 2, -1, 2, 1, -1, 0])


@pytest.fixture(scope="session")
def make_model():
    """A function that makes a SimMIM with one transformer block and random weights.

    The images have 4×6 patches in 2×3 blocks, of which the masks hide 4.
    """

    def make(num_classes=None, **arguments):
        backbone = ks.backbones.ViT(
            IMAGE_SHAPE, patch_size=4, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=32
        )
        classifier = None if num_classes is None else ks.heads.ClassificationHead(num_classes)
        block_size = 8 if arguments.get("mask_on") == "pixels" else 2
        masking = ks.masking.SpatialMasking(0.6, block_size)
        model = ks.SimMIM(backbone, masking, classifier=classifier, **arguments)
        # No weight as it is initialised: a forgotten bias or token must be seen.
        generator = np.random.default_rng(1)
        for weight in model.trainable_weights:
            weight.assign(generator.normal(size=weight.shape) * 0.3)
        return model

    return make


@pytest.fixture
def precision(request):
    """The dtype policy that the test is parametrised with, as the global policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


class Batches(keras.utils.PyDataset):
    """Batches of four from arrays."""

    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0]) // 4

    def __getitem__(self, index):
        return tuple(array[4 * index : 4 * index + 4] for array in self.arrays)


@pytest.fixture(scope="session")
def containers():
    """Functions from arrays to what `fit` and `embed` accept, in batches of four."""
    import tensorflow as tf

    return {
        "dataset": lambda *arrays: tf.data.Dataset.from_tensor_slices(
            arrays if len(arrays) > 1 else arrays[0]
        ).batch(4),
        "py_dataset": Batches,
    }


PERFORM = """
import sys
from pathlib import Path
from keras_simmim.export.fresh_process import perform
for line in sys.stdin:
    perform(Path(line.strip()))
    print("performed", flush=True)
"""


@pytest.fixture(scope="session")
def tensorflow_process():
    """Performs exports under JAX and torch in one process that has TensorFlow loaded.

    To start a process takes longer than to export a tiny model. What is appended to the list that
    this gives lets one export start its own, as all do outside tests.
    """
    alone: list = []
    if keras.backend.backend() == "tensorflow":
        yield alone
        return
    from keras_simmim.export import fresh_process

    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", PERFORM]
    process, run_alone, lock = [], fresh_process.run, threading.Lock()

    def run(folder):
        if alone:
            alone.clear()
            run_alone(folder)
            return
        with lock:
            if not process:
                process.append(subprocess.Popen(command, env=environment, **pipes))
            print(folder, file=process[0].stdin, flush=True)
            assert process[0].stdout.readline() == "performed\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_process, "run", run)
        yield alone
    for started in process:
        with started:
            started.stdin.close()
