"""Start a script as one device, on two devices, or as two processes that train together."""

import json
import os
import socket
import subprocess
import sys

import keras


def start(script, *arguments, kind="one", port=None):
    """Start the processes, one or two of them; their output is piped, as text."""
    port = _free_port() if port is None else port
    count = 2 if kind == "processes" else 1
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    # Without them JAX rounds so differently on two devices that learned masks swap blocks whose
    # scores are all but equal: one of 20 steps hid another one.
    environment.pop("JAX_DISABLE_MOST_OPTIMIZATIONS", None)
    command = [sys.executable, str(script), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return [
        subprocess.Popen(command, env={**environment, **_told(kind, index, port)}, **pipes)
        for index in range(count)
    ]


def finish(processes, timeout=1200):
    """Wait for all, which must end well."""
    outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-3000:]
    return outputs


def _told(kind, index, port):
    """What the environment tells a process."""
    backend = keras.backend.backend()
    if kind == "one":
        return {}
    if kind == "devices":
        flags = "--xla_force_host_platform_device_count=2"
        return {"LOGICAL_CPUS": "2"} if backend == "tensorflow" else {"XLA_FLAGS": flags}
    if backend == "torch":
        names = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": 2, "MASTER_PORT": port}
        return {"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in names.items()}}
    if backend == "jax":
        names = {"JAX_NUM_PROCESSES": 2, "JAX_PROCESS_ID": index}
        told = {name: str(value) for name, value in names.items()}
        return {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", **told}
    workers = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    task = {"type": "worker", "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})}


def _free_port():
    """Find a port of which the next one is free, too."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
