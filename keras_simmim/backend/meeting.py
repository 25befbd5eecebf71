"""Processes find each other before an engine that would wait too long, or end them, starts."""

import contextlib
import socket
import time

_PAUSE = 0.1  # seconds between attempts to reach process 0


def meet(address: str, count: int, index: int, timeout: float) -> None:
    """Wait at the address of process 0 until all processes are there.

    Args:
        address: "host:port" of process 0; the engine may take the port afterwards.
        count: of processes.
        index: of this one.
        timeout: seconds to wait.

    Raises:
        ValueError: if the address has no port, or the index is none of the processes'.
        RuntimeError: if the port is taken, or not all processes come in time.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise ValueError(f"address must be 'host:port' of process 0, got {address!r}.")
    if not 0 <= index < count:
        raise ValueError(f"index must be from 0 to {count - 1} of {count} processes, got {index}.")
    ends = time.monotonic() + timeout
    if index == 0:
        _wait_for_others(address, int(port), count, ends, timeout)
    else:
        _report_to_first(address, (host.strip("[]"), int(port)), index, ends, timeout)


def _wait_for_others(address: str, port: int, count: int, ends: float, timeout: float) -> None:
    """Let the others come to this process, the first."""
    try:
        server = socket.create_server(("", port))
    except OSError as error:
        raise RuntimeError(
            f"the port of {address} cannot be had: {error.strerror}. Does an earlier run still use "
            "it? End that, or give all processes another port."
        ) from error
    missing = set(range(1, count))
    with contextlib.ExitStack() as opened:
        opened.enter_context(server)
        connections = []
        while missing:
            server.settimeout(max(ends - time.monotonic(), 0.001))
            try:
                connection = opened.enter_context(server.accept()[0])
                connection.settimeout(max(ends - time.monotonic(), 0.001))
                missing.discard(int(connection.recv(20) or -1))
            except TimeoutError as error:
                raise RuntimeError(
                    f"{_named(missing)} of {count} did not come to {address} within {timeout:g} "
                    "seconds. Start all processes, each with this address and an index of its own."
                ) from error
            except (OSError, ValueError):
                continue
            connections.append(connection)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(b"all here")


def _report_to_first(
    address: str, place: tuple[str, int], index: int, ends: float, timeout: float
) -> None:
    """Come to the first process, and wait until it has seen all."""
    reason = "it waits for others"
    while time.monotonic() < ends:
        try:
            with socket.create_connection(place, max(ends - time.monotonic(), 0.001)) as connection:
                connection.sendall(str(index).encode())
                if connection.recv(20):
                    return
        except OSError as error:
            reason = error.strerror or str(error)
        time.sleep(_PAUSE)
    raise RuntimeError(
        f"process {index} did not find all others at {address} within {timeout:g} seconds: "
        f"{reason}. Start process 0 there, with this address, and all others."
    )


def _named(indices: set[int]) -> str:
    return f"process{'es' if len(indices) > 1 else ''} {', '.join(map(str, sorted(indices)))}"
