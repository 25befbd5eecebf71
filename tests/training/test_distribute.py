"""What `distribute` says where it cannot help, and how arrays are cut for processes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_simmim as ks
from keras_simmim.data.pipeline.shard import Shard
from keras_simmim.training.joined_processes import OwnRows


def test_one_device_is_found_and_named():
    found = ks.training.distribute(devices=1)
    assert (found.processes, found.index, len(found.devices)) == (1, 0, 1)
    assert str(found).startswith(f"{found.engine}: 1 device(s) in 1 process(es)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"devices": 0}, "devices must be None, at least 1, or names, got 0"),
        ({"devices": True}, "devices must be None, at least 1, or names, got True"),
        ({"devices": "cpu:0"}, "devices must be a list of names, got 'cpu:0'"),
        ({"devices": ["gpu:7"]}, "devices must be"),
        ({"devices": 64}, "devices must be"),
        ({"timeout": 0}, "timeout must be above 0 seconds, got 0"),
    ],
)
def test_what_cannot_be_had_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        ks.training.distribute(**arguments)


@pytest.mark.only_on("tensorflow")
def test_addresses_are_those_of_tf_config():
    with pytest.raises(ValueError, match="address must be None on TensorFlow, which has TF_CONFIG"):
        ks.training.distribute(address="127.0.0.1:1")


@pytest.mark.any_backend
@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_processes_together_have_each_batch_once(rows, count, each, shuffles):
    arrays = [np.arange(rows) + 100, np.arange(rows)]
    shards = [Shard(index, count) for index in range(count)]
    parts = [OwnRows(arrays, count * each, shuffles, shard) for shard in shards]
    whole = OwnRows(arrays, count * each, shuffles, Shard())
    assert {len(part) for part in parts} == {len(whole)} == {max(rows // (count * each), 1)}
    for _ in range(2):
        for number in range(len(whole)):
            pieces = [part[number] for part in parts]
            for column in range(2):
                together = np.concatenate([piece[column] for piece in pieces])
                np.testing.assert_array_equal(together, whole[number][column])
        for part in (*parts, whole):
            part.on_epoch_end()
    # A run that goes on has the order that it would have had.
    again = OwnRows(arrays, count * each, shuffles, Shard(), epoch=2)
    np.testing.assert_array_equal(again.order, whole.order)
    if shuffles and rows > 8:
        assert whole.order.tolist() != sorted(whole.order)
