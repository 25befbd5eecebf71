"""The examples of the data room run as pasted, and give what their comments say."""

import ast
import inspect
import re

import pytest

from keras_simmim import data

pytestmark = pytest.mark.any_backend


def numbers_in(value):
    return re.findall(r"\d+", str(value))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long if name == "from_tfds" else ())
        for name in data.__all__
    ],
)
def test_an_example_runs_as_pasted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", inspect.getdoc(getattr(data, name)), re.DOTALL)[1]
    *statements, last = ast.parse(code).body
    names = {}
    for statement in statements:
        exec(compile(ast.Module([statement], []), name, "exec"), names)
    value = eval(compile(ast.Expression(last.value), name, "eval"), names)
    assert numbers_in(value) == numbers_in(code.strip().partition("#")[2])
