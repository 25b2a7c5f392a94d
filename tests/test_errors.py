"""Every error says what is wrong and what to do, survives pickling, and has the exit code that the docs promise."""

from __future__ import annotations

import pickle

import pytest

from orilla_runtime import errors


def subclasses(root: type[errors.OrillaError]) -> list[type[errors.OrillaError]]:
    return [root, *(found for child in root.__subclasses__() for found in subclasses(child))]


@pytest.mark.parametrize("kind", subclasses(errors.OrillaError))
def test_message_and_remedy(kind: type[errors.OrillaError]) -> None:
    error = kind("a.onnx is damaged.", "Copy it again.")
    assert str(error) == "a.onnx is damaged.\nCopy it again."
    assert str(kind("a.onnx is damaged.")) == "a.onnx is damaged."
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.message, copy.remedy) == (kind, error.message, error.remedy)


def test_exit_codes() -> None:
    codes = {kind.__name__: kind.exit_code for kind in subclasses(errors.OrillaError)}
    assert codes.pop("UsageError") == 2
    assert codes.pop("GateError") == 3
    assert set(codes.values()) == {1}


def test_a_bundle_error_keeps_its_fault() -> None:
    error = errors.BundleError("b.orilla is compressed.", fault="compressed")
    assert pickle.loads(pickle.dumps(error)).fault == "compressed"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for kind in subclasses(errors.OrillaError):
        assert kind.__name__ in errors.__doc__
