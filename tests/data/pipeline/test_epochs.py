import itertools
import time

import numpy as np
import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def epoch_of(dataset):
    return np.concatenate(list(dataset.as_numpy_iterator()))


@pytest.fixture
def make(textured_images):
    def build(**options):
        return data.from_arrays(textured_images, image_size=16, batch_size=2, **options)

    return build


def test_equal_seeds_are_equal_and_others_are_not(make):
    first, second, other = make(seed=1), make(seed=1), make(seed=2)
    for _ in range(2):
        expected = epoch_of(first)
        np.testing.assert_array_equal(epoch_of(second), expected)
        assert not np.array_equal(epoch_of(other), expected)


def test_epoch_k_is_iteration_k(make):
    uninterrupted = make()
    epochs = [epoch_of(uninterrupted) for _ in range(4)]
    for one, two in itertools.combinations(epochs, 2):
        assert not np.array_equal(one, two)
    resumed = make(epoch=2)
    np.testing.assert_array_equal(epoch_of(resumed), epochs[2])
    np.testing.assert_array_equal(epoch_of(resumed), epochs[3])


@pytest.mark.long
def test_folder_resumes(colored_folder):
    folder = colored_folder(10)
    uninterrupted, resumed = (data.image_folder(folder, 8, 5, epoch=epoch) for epoch in (0, 1))
    epoch_of(uninterrupted)
    np.testing.assert_array_equal(epoch_of(uninterrupted), epoch_of(resumed))


@pytest.mark.parametrize(
    "source", ["arrays", pytest.param("folder with a broken file", marks=pytest.mark.long)]
)
def test_an_epoch_can_begin_in_its_middle(source, make, colored_folder):
    if source != "arrays":
        folder = colored_folder(10)
        (folder / "03.png").write_bytes(b"broken")

        def make(**place):
            return data.image_folder(folder, 8, 2, **place)

    uninterrupted = make()
    epochs = [list(uninterrupted.as_numpy_iterator()) for _ in range(3)]
    for first_batch in (1, 2, 4) if source == "arrays" else (2,):
        resumed = make(epoch=1, first_batch=first_batch)
        assert int(resumed.cardinality()) == 5
        if first_batch < 3:
            next(iter(resumed))  # A look counts neither as an epoch nor as the part of one.
        for expected in (epochs[1][first_batch:], epochs[2]):
            batches = list(resumed.as_numpy_iterator())
            assert len(batches) == len(expected)
            for batch, wanted in zip(batches, expected, strict=True):
                np.testing.assert_array_equal(batch, wanted)


def test_a_first_batch_that_is_not_there_is_refused(make, colored_folder):
    with pytest.raises(ValueError, match=r"first_batch must be below 5, .* got 5"):
        make(first_batch=5)
    with pytest.raises(ValueError, match="first_batch must be 0 if training=False, got 1"):
        make(first_batch=1, training=False)
    with pytest.raises(ValueError, match="first_batch must be at least 0"):
        make(first_batch=-1)


@pytest.mark.long
def test_a_look_at_two_batches_is_no_epoch(make):
    dataset = make()
    first, second = (epoch_of(make(epoch=epoch)) for epoch in (0, 1))
    list(dataset.take(2))
    iterator = iter(dataset)
    next(iterator), next(iterator)
    time.sleep(0.3)  # Nothing may run ahead and count meanwhile.
    np.testing.assert_array_equal(epoch_of(dataset), first)
    list(make().take(3))
    partial = make()
    list(partial.take(3))
    np.testing.assert_array_equal(epoch_of(partial), second)


def test_batch_size_does_not_change_the_crops(make, textured_images):
    whole = data.from_arrays(textured_images, image_size=16, batch_size=10)
    np.testing.assert_array_equal(epoch_of(whole), epoch_of(make()))
