"""Runs a SavedModel as a server does: loaded in a process of its own, called through its signature.

`ServedModel` is a session like those of the engines, for whoever judges an artifact; it is no engine of the runtime,
since a device has no TensorFlow. The process is `python -m orilla_converters.serving FOLDER`: arrays go to its standard
input and come from its standard output, each as eight bytes of length and a .npy file.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from orilla_converters.savedmodel import SIGNATURE
from orilla_converters.worker import environment
from orilla_runtime.engines.base import Availability, EngineOptions, Session
from orilla_runtime.errors import ModelError
from orilla_runtime.formats.packed_folder import unpacked
from orilla_runtime.tensors import TensorSpec

LIMIT = 600.0
"""Seconds for one answer; the first holds the import of TensorFlow."""
_LENGTH = 8
_MODULE = "orilla_converters.serving"


class TensorFlow:
    """What opens SavedModels for the judge: an `Engine` outside the registry.

    inputs, outputs: the names in the order that the sessions keep; a signature itself knows none.
    """

    name = "tensorflow"
    formats = frozenset({"savedmodel"})

    def __init__(self, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> None:
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)

    def availability(self) -> Availability:
        """The desk has TensorFlow."""
        return Availability(("cpu",))

    def load(self, model: bytes, options: EngineOptions) -> Session:  # noqa: ARG002 (as all engines)
        """A process that serves a packed SavedModel; it has one set of kernels.

        Raises:
            ModelError: TensorFlow does not open it, or it has another signature.
        """
        return ServedModel(model, self._inputs, self._outputs)


class ServedModel:
    """A SavedModel in a process that serves it until `close`.

    inputs, outputs: names in the order wanted; those that are not among them follow in the alphabet's.
    """

    device = "cpu"

    def __init__(self, data: bytes, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> None:
        files = unpacked(data, "The SavedModel")
        self._folder = Path(tempfile.mkdtemp(prefix="orilla-served-"))
        try:
            for name, content in files.items():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self._folder / name).write_bytes(content)
            self._process = _started(self._folder)
            specs = [str(text) for text in self._answer().tolist()]
        except BaseException:
            self.close()
            raise
        self._taken = tuple(map(_spec, specs[: int(specs[-1])]))
        self._given = tuple(map(_spec, specs[int(specs[-1]) : -1]))
        self.inputs, self.outputs = _ordered(self._taken, inputs), _ordered(self._given, outputs)

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """The outputs for tensors, both in the order of `inputs` and `outputs`."""
        named = {spec.name: tensor for spec, tensor in zip(self.inputs, tensors, strict=True)}
        for spec in self._taken:
            _send(self._pipe(self._process.stdin), named[spec.name])
        found = {spec.name: self._answer() for spec in self._given}
        return tuple(found[spec.name] for spec in self.outputs)

    def close(self) -> None:
        """End the process and remove its folder; may be called twice."""
        process = getattr(self, "_process", None)
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self) -> NDArray[Any]:
        watch = threading.Timer(LIMIT, self._process.kill)
        watch.start()
        try:
            found = _receive(self._pipe(self._process.stdout))
        finally:
            watch.cancel()
        if found is None:
            code = self._process.wait()
            raise ModelError(f"TensorFlow does not serve the SavedModel (exit code {code}).", "Convert it again.")
        if found.dtype.kind == "U" and found.shape == ():
            raise ModelError(f"TensorFlow refuses the SavedModel: {found}.", "Convert it again.")
        return found

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def _started(folder: Path) -> subprocess.Popen[bytes]:
    """The server; what it says on its standard error is TensorFlow's noise."""
    return subprocess.Popen(
        # -P: a file of the caller's that is called like a module of ours must not be taken for it.
        [sys.executable, "-P", "-m", _MODULE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(folder),
    )


def _spec(text: str) -> TensorSpec:
    """`name dtype side side …`, with `-` for an open side."""
    name, dtype, *sides = text.split(" ")
    return TensorSpec(name, tuple(None if side == "-" else int(side) for side in sides), dtype)


def _ordered(specs: Sequence[TensorSpec], names: Sequence[str]) -> tuple[TensorSpec, ...]:
    places = {name: place for place, name in enumerate(names)}
    return tuple(sorted(specs, key=lambda spec: places.get(spec.name, len(places))))


def _send(pipe: IO[bytes], array: NDArray[Any]) -> None:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    content = stream.getvalue()
    try:
        pipe.write(len(content).to_bytes(_LENGTH, "little") + content)
        pipe.flush()
    except BrokenPipeError:
        return  # the answer, which will not come, says why


def _receive(pipe: IO[bytes]) -> NDArray[Any] | None:
    """The next array, or None at the end."""
    head = pipe.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    content = pipe.read(int.from_bytes(head, "little"))
    found: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return found


def _described(signature: Any) -> tuple[list[str], list[str]]:
    """The specs of inputs and outputs as text, each in the order of their names."""

    def text(name: str, spec: Any) -> str:
        sides = ("-" if side is None else str(side) for side in spec.shape)
        return " ".join((name, spec.dtype.name, *sides))

    taken = signature.structured_input_signature[1]
    given = signature.structured_outputs
    return [text(name, taken[name]) for name in sorted(taken)], [text(name, given[name]) for name in sorted(given)]


def main() -> None:
    """Serve until standard input ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # TensorFlow prints where answers go
    import tensorflow as tf

    try:
        signature = tf.saved_model.load(sys.argv[1]).signatures[SIGNATURE]
        inputs, outputs = _described(signature)
        _send(channel, np.array([*inputs, *outputs, str(len(inputs))]))
        names = [text.partition(" ")[0] for text in inputs]
        while True:
            arrays = [_receive(sys.stdin.buffer) for _ in names]
            if any(array is None for array in arrays):
                return
            found = signature(**dict(zip(names, map(tf.constant, arrays), strict=True)))
            for text in outputs:
                _send(channel, found[text.partition(" ")[0]].numpy())
    except Exception as error:
        _send(channel, np.array(" ".join(str(error).split())[:300] or type(error).__name__))
    finally:
        channel.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
