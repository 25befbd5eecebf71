"""Take steps on an accelerator, wait for it, and time it: what `gpu.py` measures with."""

import statistics
import time


def torch_stepper(model, images):
    """A function that takes one step, as `fit` does, and one that waits for the device."""
    import torch
    from keras.src.backend.torch.core import get_device

    batch = (torch.as_tensor(images, device=get_device()),)
    model.make_train_function()
    return lambda: model.train_function([batch]), wait_of_torch


def wait_of_torch():
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def jax_stepper(model, images):
    """The same on JAX, where the step is a pure function: its state is kept here."""
    import jax

    batch = (jax.device_put(images),)
    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    # Copies, since the step takes the memory of what it is given.
    kept = {"state": tuple([jax.numpy.copy(v.value) for v in each] for each in variables)}
    program = jax.jit(model.train_step, donate_argnums=0).lower(kept["state"], batch).compile()
    kept["program"] = program

    def step():
        logs, kept["state"] = program(kept["state"], batch)
        return logs

    step.program = program
    return step, lambda: jax.block_until_ready(kept["state"])


def stepper(model, images):
    import keras

    return (torch_stepper if keras.backend.backend() == "torch" else jax_stepper)(model, images)


def in_turns(steps, wait, groups, length):
    """Seconds a step of each: medians over groups of steps, in turns."""
    times = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(3):
            step()
        wait()
    for _ in range(groups):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(length):
                step()
            wait()
            times[name].append((time.perf_counter() - start) / length)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_flops(tiny):
    """Operations a second of products of bfloat16 matrices: the best of five groups."""
    import keras

    side, length = (512, 2) if tiny else (8192, 10)
    if keras.backend.backend() == "torch":
        import torch
        from keras.src.backend.torch.core import get_device

        left, right = torch.randn(2, side, side, device=get_device(), dtype=torch.bfloat16)
        product, wait = (lambda: left @ right), wait_of_torch
    else:
        import jax

        left, right = jax.random.normal(jax.random.key(0), (2, side, side), "bfloat16")
        multiply, kept = jax.jit(lambda a, b: a @ b), {}

        def product():
            kept["last"] = multiply(left, right)

        def wait():
            kept["last"].block_until_ready()

    product()
    wait()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(length):
            product()
        wait()
        seconds.append((time.perf_counter() - start) / length)
    return 2 * side**3 / min(seconds)


def peak_gigabytes():
    """The most memory of the device that this process has had in use; None on CPUs."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    import jax

    statistics_of_memory = jax.devices()[0].memory_stats() or {}
    peak = statistics_of_memory.get("peak_bytes_in_use")
    return peak and peak / 1e9
