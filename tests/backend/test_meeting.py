"""Processes meet at the address of the first before an engine starts, or say who is missing."""

import socket
import threading

import pytest

from keras_simmim.backend.meeting import meet

pytestmark = pytest.mark.any_backend


@pytest.fixture
def address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


def meeting(address, count, indices, timeout):
    """Let these of so many processes meet; what each raised, or None."""
    raised = dict.fromkeys(indices, "still waiting")

    def come(index):
        try:
            raised[index] = meet(address, count, index, timeout)
        except RuntimeError as error:
            raised[index] = str(error)

    threads = [threading.Thread(target=come, args=(index,)) for index in indices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_all_come_in_any_order(address):
    assert meeting(address, 3, [2, 0, 1], 20) == {0: None, 1: None, 2: None}
    # And the engine, or another run, may have the port at once.
    assert meeting(address, 2, [1, 0], 20) == {0: None, 1: None}


def test_who_is_missing_is_named(address):
    raised = meeting(address, 4, [0, 2], 0.6)
    assert raised[0].startswith(f"processes 1, 3 of 4 did not come to {address} within 0.6 seconds")
    assert raised[2].startswith(f"process 2 did not find all others at {address} within 0.6 sec")


def test_without_the_first_nobody_waits_for_ever(address):
    (raised,) = meeting(address, 2, [1], 0.3).values()
    assert "Connection refused" in raised
    assert "Start process 0 there" in raised


def test_a_port_in_use_is_named(address):
    with socket.create_server(("127.0.0.1", int(address.split(":")[1]))):
        raised = meeting(address, 2, [0, 1], 0.3)
    assert raised[0].startswith(f"the port of {address} cannot be had: Address already in use")
    assert "within 0.3 seconds: timed out" in raised[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("localhost", 2, 0), "address must be 'host:port' of process 0, got 'localhost'"),
        (("localhost:1", 2, 2), "index must be from 0 to 1 of 2 processes, got 2"),
    ],
)
def test_addresses_and_indices_that_cannot_be(given, words):
    with pytest.raises(ValueError, match=words):
        meet(*given, timeout=1)
