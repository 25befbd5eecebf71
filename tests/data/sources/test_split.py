import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def paths(folder, subset, seed=0, **arguments):
    dataset = data.image_folder(
        folder, 8, validation_split=0.25, subset=subset, seed=seed, training=False, **arguments
    )
    return dataset.file_paths


def test_the_two_sides_are_the_whole_and_share_nothing(colored_folder):
    folder = colored_folder(12)
    training, validation = paths(folder, "training"), paths(folder, "validation")
    assert len(validation) == 3
    assert sorted(training + validation) == data.image_folder(folder, 8).file_paths
    assert paths(folder, "validation") == validation
    assert any(paths(folder, "validation", seed=seed) != validation for seed in range(1, 5))


def test_each_class_gives_its_share(tmp_path, colored_folder):
    folder = colored_folder(12)
    for index, path in enumerate(sorted(folder.iterdir())):
        target = folder / ("first" if index < 4 else "second")
        target.mkdir(exist_ok=True)
        path.rename(target / path.name)
    held_out = paths(folder, "validation")
    assert sum("first" in path for path in held_out) == 1
    assert sum("second" in path for path in held_out) == 2
    assert len(paths(folder, "validation", limit=8)) == 2


def test_one_image_at_least_is_held_out(colored_folder):
    assert len(paths(colored_folder(2), "validation")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation_split": 0.2}, "subset must be 'training' or 'validation', got None"),
        ({"subset": "training"}, "validation_split must be a number with 0 < split < 1, got None"),
        ({"validation_split": 1.0, "subset": "training"}, "got 1.0"),
        ({"validation_split": 0.2, "subset": "test"}, "got 'test'"),
    ],
)
def test_bad_arguments_are_named(colored_folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.image_folder(colored_folder(4), 8, **arguments)
