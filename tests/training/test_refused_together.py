"""What does not fit together is refused in all processes, by one line that helps."""

import socket
from pathlib import Path

import keras
import pytest
from launch import finish, start

pytestmark = pytest.mark.long
SCRIPT = Path(__file__).parents[1] / "support" / "refused_together.py"


def lines_of(output):
    """What was printed of each case."""
    return dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)


def test_other_data_another_model_and_batches_that_do_not_divide():
    for index, output in enumerate(finish(start(SCRIPT, kind="processes"))):
        said = lines_of(output)
        other = 1 - index
        wanted = {
            "data": f"x must be the same in all processes, but process {other} has others",
            "batches": "x must be the same in all processes",
            "model": f"model must be the same in all processes, but process {other} has others",
            "batch size": "batch_size must be a multiple of 2, so that the 2 processes",
            "uncut": "x must be cut for 2 processes, got a data set of 1",
        }
        if keras.backend.backend() == "torch":
            wanted["wrapped"] = "SimMIM must not be wrapped in DistributedDataParallel"
        for name, words in wanted.items():
            assert said[name].startswith("ValueError: "), said[name]
            assert words in said[name]
        # And after all that they train.
        assert said["all is well"] == "nothing is raised"


def test_a_process_that_does_not_come_is_waited_for_as_long_as_is_said():
    first, second = start(SCRIPT, 5, kind="processes")
    second.kill()
    second.communicate()
    (output,) = finish([first])
    said = lines_of(output)["missing"]
    assert said.startswith("RuntimeError: ")
    assert "within 5 seconds" in said
    assert 4 < float(output.split("after ")[-1].split()[0]) < 30


@pytest.mark.only_on("jax", "tensorflow")
def test_a_model_that_is_made_before_the_devices_are_chosen():
    (output,) = finish(start(SCRIPT, "late", kind="devices"))
    assert "was made before ks.training.distribute(), and lies on one device" in output


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        processes = start(SCRIPT, 5, kind="processes", port=port)
        for index, output in enumerate(finish(processes)):
            said = lines_of(output)["missing"]
            assert said.startswith("RuntimeError: ")
            assert f"127.0.0.1:{port}" in said
            if index == 0:
                assert "earlier run" in said
