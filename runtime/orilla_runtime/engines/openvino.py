"""OpenVINO, a third engine: reads ONNX and TFLite files as they are."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.engines.base import Availability, EngineOptions, Session, Tensor
from orilla_runtime.engines.checks import checked, thread_count
from orilla_runtime.engines.packages import import_engine
from orilla_runtime.errors import EngineError, ModelError, OrillaError, UsageError
from orilla_runtime.formats.onnx import read_onnx
from orilla_runtime.formats.tflite import Port, read_tflite
from orilla_runtime.tensors import TensorSpec

_INSTALL = "Install it: pip install 'orilla[openvino]'."
_AUTOMATIC = "cpu"


class OpenVINO:
    """Runs `.onnx` and `.tflite` files on the CPU or, asked by name, on an Intel GPU or NPU."""

    name = "openvino"
    formats = frozenset({"onnx", "tflite"})

    def availability(self) -> Availability:
        """Runs a model of one operator on each device that OpenVINO sees."""
        try:
            runtime = _runtime()
            seen = _devices(runtime.Core())
        except OrillaError as error:
            return Availability((), reason=error.message, remedy=error.remedy)
        devices, notes = [], {}
        for device in seen:
            try:
                self._probe(device)
                devices.append(device)
            except OrillaError as error:
                notes[device] = error.message
        reason = "" if devices else "; ".join(notes.values()) or "OpenVINO sees no device."
        untested = tuple(device for device in seen if device != "cpu")
        return Availability(tuple(devices), _version(runtime), reason, "" if devices else _INSTALL, notes, untested)

    def _probe(self, device: str) -> None:
        from importlib.resources import files

        model = files("orilla_runtime.engines").joinpath("probes", "relu.onnx").read_bytes()
        session = self.load(model, EngineOptions(device=device, threads=1))
        (output,) = session.run(np.array([[-1.0, 2.0]], np.float32))
        session.close()
        if output.tolist() != [[0.0, 2.0]]:
            raise EngineError(f"OpenVINO computes wrongly on {device}.")

    def load(self, model: bytes, options: EngineOptions) -> Session:
        """Open an `.onnx` or a `.tflite` file. `auto` is the CPU: other devices compute in lower precision.

        Raises:
            ModelError: damaged or cut; operators that OpenVINO does not have; a signature on a further graph.
            EngineError: OpenVINO is not installed, or the device that was asked for is not there.
            UsageError: a number of threads below 1, a signature of an ONNX file, or reference kernels.
        """
        threads = thread_count(options)
        if options.kernels != "default":
            raise UsageError("OpenVINO has no reference kernels.", "Use litert or onnxruntime for them.")
        call = _tflite_call(model, options.signature) if model[4:8] == b"TFL3" else _onnx_call(model, options.signature)
        core = _runtime().Core()
        device = _AUTOMATIC if options.device == "auto" else options.device
        if device not in _devices(core):
            raise EngineError(
                f"OpenVINO has no device {device!r} here (it sees {', '.join(_devices(core))}).",
                "Look at its driver, or use --device cpu.",
            )
        graph = _read(core, model, call)
        return _OpenVINOSession(core, graph, call, device, threads)


@dataclass(frozen=True, slots=True)
class _Call:
    """The tensors in the file's order, and where the graph holds each: a place (TFLite) or a name (ONNX)."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    input_keys: tuple[int | str, ...]
    output_keys: tuple[int | str, ...]
    suffix: str


@dataclass(frozen=True, slots=True)
class _Graph:
    """What OpenVINO read: its graph, and the places of the call's tensors among the graph's own."""

    native: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _tflite_call(model: bytes, signature: str | None) -> _Call:
    file = read_tflite(model, words=False)
    call = file.call(signature)
    if call.subgraph:
        raise ModelError(
            f"The signature {call.name!r} is on a further graph of the file, which OpenVINO does not read.",
            "Use --engine litert.",
        )
    if file.custom:
        # The reader would refuse them too, after a native stack of messages.
        raise ModelError(
            f"The model needs operators that OpenVINO does not carry: {', '.join(sorted(file.custom)[:3])}.",
            "Convert it with built-in operators only.",
        )

    def places(ports: Sequence[Port], all_ports: Sequence[Port]) -> tuple[int, ...]:
        place = {port.tensor: number for number, port in enumerate(all_ports)}
        return tuple(place[port.tensor] for port in ports)

    return _Call(
        tuple(port.spec for port in call.inputs),
        tuple(port.spec for port in call.outputs),
        places(call.inputs, file.graph.inputs),
        places(call.outputs, file.graph.outputs),
        ".tflite",
    )


def _onnx_call(model: bytes, signature: str | None) -> _Call:
    if signature is not None:
        raise UsageError("An ONNX file has no signatures.", "Leave the signature out.")
    file = read_onnx(model)
    if file.external:
        raise ModelError(
            f"The model keeps its weights in another file ({', '.join(file.external[:3])}).",
            "Save it as one file: onnx.save(onnx.load('MODEL.onnx'), 'WHOLE.onnx').",
        )
    names = [tuple(spec.name for spec in specs) for specs in (file.inputs, file.outputs)]
    return _Call(file.inputs, file.outputs, names[0], names[1], ".onnx")


def _runtime() -> Any:
    with _without_telemetry():
        return import_engine("OpenVINO", (("openvino", "openvino"),), _INSTALL)[1]


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """OpenVINO's import writes an identity to the home folder and reports itself over the network, unasked.

    It does neither where its package `openvino_telemetry` cannot be imported, which it is prepared for. A program that
    imported that package before is left as it is.
    """
    package = "openvino_telemetry"
    hidden = package not in sys.modules
    if hidden:
        # None in sys.modules is a module that the import system does not find.
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden and sys.modules.get(package) is None:
            del sys.modules[package]


def _version(runtime: Any) -> str:
    return str(runtime.get_version()).partition("-")[0]


def _devices(core: Any) -> tuple[str, ...]:
    return tuple(str(name).lower() for name in core.available_devices)


def _read(core: Any, model: bytes, call: _Call) -> _Graph:
    """The graph, and where it holds the tensors of the call. Raises ModelError."""
    if any(spec.dtype == "string" for spec in (*call.inputs, *call.outputs)):
        raise ModelError("The model takes or gives texts, which OpenVINO does not run here.", "Use another engine.")
    try:
        native = _parsed(core, model, call.suffix)
        return _Graph(
            native,
            tuple(_place(native.inputs, key, spec) for key, spec in zip(call.input_keys, call.inputs, strict=True)),
            tuple(_place(native.outputs, key, spec) for key, spec in zip(call.output_keys, call.outputs, strict=True)),
        )
    except (RuntimeError, ValueError) as error:
        raise _refused(error) from error


def _parsed(core: Any, model: bytes, suffix: str) -> Any:
    if suffix == ".onnx":
        return core.read_model(io.BytesIO(model))
    # This reader takes files only. It gets one that holds exactly these bytes, not the path that they came from.
    with tempfile.TemporaryDirectory(prefix="orilla-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, f"model{suffix}")
        path.write_bytes(model)
        return core.read_model(path, config={"ENABLE_MMAP": False})


def _place(ports: Sequence[Any], key: int | str, spec: TensorSpec) -> int:
    place = next((place for place, port in enumerate(ports) if place == key or key in port.names), None)
    if place is None:
        raise ModelError(f"OpenVINO does not find the tensor {spec.name} in the model.", "Use another engine.")
    found = ports[place].element_type
    if np.dtype(found.to_dtype()) != np.dtype(spec.dtype):
        raise ModelError(f"OpenVINO reads {spec} as {found}.", "Use another engine.")
    return place


def _refused(error: Exception) -> ModelError:
    text = str(error)
    operator = re.search(r"No translator found for (\S+) node", text)
    if operator:
        return ModelError(
            f"The model uses the operator {operator[1]}, which OpenVINO does not have.", "Use another engine."
        )
    return ModelError(f"OpenVINO does not take the model: {_line(text)}", "Use another engine, or convert it again.")


def _line(text: str) -> str:
    """The text without the places in OpenVINO's sources, on one line."""
    plain = re.sub(r"Exception from \S+:\d+:|Check '[^']*' failed at \S+:\d+:", " ", text)
    return " ".join(plain.split())[:300]


class _OpenVINOSession:
    """One model on one device. Compiled for a batch of one; another batch compiles it a second time, for any."""

    def __init__(self, core: Any, graph: _Graph, call: _Call, device: str, threads: int) -> None:
        self._core = core
        self._graph: _Graph | None = graph
        self.device = device
        self._settings = _settings(device, threads)
        self.inputs = call.inputs
        ports = [graph.native.outputs[place] for place in graph.outputs]
        self.outputs = tuple(map(_known_shape, call.outputs, ports))
        # A batch that is known compiles to faster code. Where more is open than the batch, a run must tell.
        self._ones = tuple((1, *spec.shape[1:]) for spec in call.inputs)
        fixed = all(None not in shape for shape in self._ones)
        self._request_of_one = self._compiled(graph, self._ones) if fixed else None
        self._request = None if fixed else self._compiled(graph, None)

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the model; the outputs are copies. Raises UsageError for wrong tensors, ModelError where it fails."""
        given = checked(tensors, self.inputs)
        graph = self._graph
        if graph is None:
            raise UsageError("The session was closed.", "Load the model again.")
        try:
            request = self._request_for(graph, given)
            request.infer(dict(zip(graph.inputs, given, strict=True)), share_inputs=True, share_outputs=True)
            return tuple(np.array(request.get_output_tensor(place).data) for place in graph.outputs)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"OpenVINO failed while it ran the model: {_line(str(error))}") from error

    def close(self) -> None:
        """Release the model."""
        self._request = self._request_of_one = self._graph = None

    def _request_for(self, graph: _Graph, tensors: tuple[Tensor, ...]) -> Any:
        if self._request_of_one is not None and tuple(tensor.shape for tensor in tensors) == self._ones:
            return self._request_of_one
        if self._request is None:
            self._request = self._compiled(graph, None)
        return self._request

    def _compiled(self, graph: _Graph, shapes: tuple[tuple[int | None, ...], ...] | None) -> Any:
        native = graph.native
        try:
            if shapes is not None:
                native = native.clone()
                native.reshape(
                    {native.inputs[place]: list(shape) for place, shape in zip(graph.inputs, shapes, strict=True)}
                )
            return self._core.compile_model(native, self.device.upper(), self._settings).create_infer_request()
        except (RuntimeError, ValueError) as error:
            if self.device != "cpu":
                raise EngineError(
                    f"OpenVINO does not start the model on {self.device}: {_line(str(error))}", "Use --device cpu."
                ) from error
            raise _refused(error) from error


def _settings(device: str, threads: int) -> dict[str, Any]:
    # One frame at a time, as fast as it goes. The precision is the file's: by itself OpenVINO computes in bfloat16 or
    # float16 where the processor has it, and the artifact was proved in float32.
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if device == "cpu":
        # Pinned threads of two sessions or two processes would share one core and leave another idle.
        settings |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    elif device.startswith("npu"):
        del settings["INFERENCE_PRECISION_HINT"]
    return settings


def _known_shape(spec: TensorSpec, port: Any) -> TensorSpec:
    """The shape that OpenVINO worked out, where the file leaves it open or says none."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return spec
    sides = tuple(int(side.get_length()) if side.is_static else None for side in shape)
    if len(spec.shape) == len(sides):
        sides = tuple(a if a is not None else b for a, b in zip(spec.shape, sides, strict=True))
    return replace(spec, shape=sides)
