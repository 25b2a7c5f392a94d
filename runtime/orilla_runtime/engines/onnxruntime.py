"""ONNX Runtime. Its provider is chosen and checked: a device that was asked for is never replaced by the CPU."""

from __future__ import annotations

import logging
import re
from typing import Any

import numpy as np

from orilla_runtime.engines.base import Availability, EngineOptions, Session, Tensor
from orilla_runtime.engines.checks import checked, thread_count
from orilla_runtime.engines.packages import import_engine
from orilla_runtime.engines.providers import AUTOMATIC, PROVIDERS, Provider
from orilla_runtime.errors import EngineError, ModelError, OrillaError, UsageError
from orilla_runtime.formats.onnx import OnnxFile, read_onnx
from orilla_runtime.tensors import TensorSpec

_INSTALL = "Install it: pip install 'orilla[onnx]'."
_DTYPES = {"float": "float32", "double": "float64"}
_log = logging.getLogger(__name__)


class OnnxRuntime:
    """Runs `.onnx` files on the CPU or, with the package that carries it, on another device."""

    name = "onnxruntime"
    formats = frozenset({"onnx"})

    def availability(self) -> Availability:
        """Runs a model of one operator on each device that the installed package carries."""
        try:
            runtime = _runtime()
        except EngineError as error:
            return Availability((), reason=error.message, remedy=error.remedy)
        devices, notes = [], {}
        for provider in _carried(runtime):
            try:
                self._probe(provider)
                devices.append(provider.device)
            except OrillaError as error:
                notes[provider.device] = error.message
        reason = "" if devices else "; ".join(notes.values()) or "ONNX Runtime carries no provider that Orilla knows."
        untested = tuple(provider.device for provider in _carried(runtime) if not provider.tested)
        remedy = "" if devices else _INSTALL
        return Availability(tuple(devices), str(runtime.__version__), reason, remedy, notes, untested)

    def _probe(self, provider: Provider) -> None:
        """Raises EngineError or ModelError where a model of one operator does not run there."""
        from importlib.resources import files

        model = files("orilla_runtime.engines").joinpath("probes", "relu.onnx").read_bytes()
        session = self.load(model, EngineOptions(device=provider.device, threads=1))
        (output,) = session.run(np.array([[-1.0, 2.0]], np.float32))
        session.close()
        if output.tolist() != [[0.0, 2.0]]:
            raise EngineError(f"ONNX Runtime computes wrongly on {provider.device}.")

    def load(self, model: bytes, options: EngineOptions) -> Session:
        """Open an `.onnx` file.

        Raises:
            ModelError: damaged or cut; operators, versions or outside weights that ONNX Runtime does not take.
            EngineError: ONNX Runtime is not installed, or the device that was asked for is not there.
            UsageError: a number of threads below 1, or a signature, which only TFLite files have.
        """
        if options.signature is not None:
            raise UsageError("An ONNX file has no signatures.", "Leave the signature out.")
        threads = thread_count(options)
        file = read_onnx(model)
        _require_readable(file)
        runtime = _runtime()
        settings = _settings(runtime, threads, options.kernels)
        failures = []
        for provider in _wanted(runtime, options.device):
            try:
                session = _open(runtime, model, settings, provider, file)
            except EngineError as error:
                failures.append(error)
                continue
            if failures:
                _log.warning("ONNX Runtime runs on %s: %s", provider.device, failures[0].message)
            return _OnnxSession(session, provider.device, file)
        raise failures[0]


def _runtime() -> Any:
    return import_engine("ONNX Runtime", (("onnxruntime", "onnxruntime"),), _INSTALL)[1]


def _carried(runtime: Any) -> list[Provider]:
    """The providers inside the installed package, best first. Carried does not mean that they work."""
    names = set(runtime.get_available_providers())
    return [provider for provider in PROVIDERS if provider.provider in names]


def _wanted(runtime: Any, device: str) -> list[Provider]:
    """The providers to try, in order."""
    carried = _carried(runtime)
    automatic = [provider for provider in carried if provider.device in AUTOMATIC]
    if device == "auto" and automatic:
        return automatic
    known = {provider.device: provider for provider in PROVIDERS}
    if device not in known:
        there = ", ".join(provider.device for provider in carried)
        raise EngineError(f"ONNX Runtime has no device {device!r}.", f"It carries: {there}.")
    if known[device] not in carried:
        there = ", ".join(provider.device for provider in carried)
        raise EngineError(
            f"The installed ONNX Runtime {runtime.__version__} does not carry {device} (it carries {there}).",
            f"Install {known[device].package} in place of the onnxruntime that is there, or use --device cpu.",
        )
    return [known[device]]


def _settings(runtime: Any, threads: int, kernels: str) -> Any:
    settings = runtime.SessionOptions()
    level = runtime.GraphOptimizationLevel
    # Below ALL the CPU's blocked layout is lost and a run costs several times as much.
    settings.graph_optimization_level = level.ORT_DISABLE_ALL if kernels == "reference" else level.ORT_ENABLE_ALL
    settings.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # Threads that spin between the frames of a camera cost several times the CPU of the work itself.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Everything that goes wrong is raised; the native log would repeat it on standard error.
    settings.log_severity_level = 4
    return settings


def _open(runtime: Any, model: bytes, settings: Any, provider: Provider, file: OnnxFile) -> Any:
    """A session on that provider. Raises EngineError where the device fails, ModelError where the model does."""
    names = list(dict.fromkeys((provider.provider, "CPUExecutionProvider")))
    try:
        # enable_fallback=0: otherwise a provider that fails is replaced by the CPU, with no more than a print.
        session = runtime.InferenceSession(model, settings, providers=names, enable_fallback=0)
    except Exception as error:
        # The native exceptions have no common base of their own.
        if provider.device != "cpu" and not _blames_model(str(error)):
            raise EngineError(f"{provider.device} does not start: {_line(str(error))}", "Use --device cpu.") from error
        raise _refused(runtime, error, file) from error
    if provider.provider not in session.get_providers():
        raise EngineError(
            f"ONNX Runtime carries {provider.device}, but this machine lacks the device or its libraries.",
            "Look at its driver and libraries, or use --device cpu.",
        )
    return session


def _require_readable(file: OnnxFile) -> None:
    if file.external:
        raise ModelError(
            f"The model keeps its weights in another file ({', '.join(file.external[:3])}).",
            "Save it as one file: onnx.save(onnx.load('MODEL.onnx'), 'WHOLE.onnx').",
        )
    if not file.opsets:
        raise ModelError(
            "The file names no operator set (it is from before ONNX 1.0), so its operators have no meaning.",
            "Export the model again with a current exporter.",
        )


def _blames_model(text: str) -> bool:
    return "INVALID_GRAPH" in text or "INVALID_PROTOBUF" in text or "is not a registered function/op" in text


def _refused(runtime: Any, error: Exception, file: OnnxFile) -> ModelError:
    """Why ONNX Runtime does not take the file, in words that name the way out."""
    text = str(error)
    version = f"ONNX Runtime {runtime.__version__}"
    unknown = re.search(r"([\w.]+):(\w+)\(-?\d+\) is not a registered function/op", text)
    if unknown:
        return ModelError(
            f"The model uses the operator {unknown[2]} of the domain {unknown[1]}, which {version} does not carry.",
            "Export the model without it; what it does has to happen outside the model.",
        )
    if "Unsupported model IR version" in text:
        return ModelError(f"The file has IR version {file.ir_version}, too new for {version}.", "Update onnxruntime.")
    if "Opset" in text and "ValidateOpsetForDomain" in text:
        newest = f"opset {file.opsets.get('', 0)}"
        return ModelError(f"The file asks for {newest}, too new for {version}.", "Update onnxruntime.")
    operator = re.search(r"No Op registered for (\S+) with domain_version of (\d+)", text)
    if operator:
        return ModelError(
            f"The model uses the operator {operator[1]}, which ONNX's operator set {operator[2]} does not have.",
            "Export the model again with standard operators.",
        )
    return ModelError(f"{version} does not take the model: {_line(text)}", "Export it again.")


def _line(text: str) -> str:
    """The text without the place in ONNX Runtime's sources, on one line."""
    plain = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : |/\S+\.(?:cc|h):\d+ ", "", text)
    return " ".join(plain.split())[:300]


class _OnnxSession:
    """One model on one provider."""

    def __init__(self, session: Any, device: str, file: OnnxFile) -> None:
        self._session = session
        self.device = device
        stored = {spec.name: spec for spec in (*file.inputs, *file.outputs)}
        self.inputs: tuple[TensorSpec, ...] = tuple(_spec(one, stored) for one in session.get_inputs())
        self.outputs: tuple[TensorSpec, ...] = tuple(_spec(one, stored) for one in session.get_outputs())
        self._names = [spec.name for spec in self.outputs]

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the model. Raises UsageError for wrong tensors, ModelError where it fails."""
        given = checked(tensors, self.inputs)
        feed = {spec.name: tensor for spec, tensor in zip(self.inputs, given, strict=True)}
        try:
            return tuple(self._session.run(self._names, feed))
        except Exception as error:
            # The native exceptions have no common base of their own.
            raise ModelError(f"ONNX Runtime failed while it ran the model: {_line(str(error))}") from error

    def close(self) -> None:
        """Release the session."""
        self._session = None


def _spec(port: Any, stored: dict[str, TensorSpec]) -> TensorSpec:
    """ONNX Runtime knows more shapes than the file; only the file's graph knows what stored numbers stand for."""
    kind = re.fullmatch(r"tensor\((\w+)\)", port.type)
    dtype = _DTYPES.get(kind[1], kind[1]) if kind else str(port.type)
    shape = tuple(side if isinstance(side, int) and side >= 0 else None for side in port.shape or ())
    found = stored.get(port.name)
    return TensorSpec(port.name, shape, dtype, found.quantization if found else None)
