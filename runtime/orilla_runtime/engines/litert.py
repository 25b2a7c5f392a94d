"""LiteRT (TensorFlow Lite) through its Interpreter.

Not through its CompiledModel: that one does not verify the file, and a damaged one kills the process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orilla_runtime.engines.base import Availability, EngineOptions, Session, Tensor
from orilla_runtime.engines.checks import checked, thread_count
from orilla_runtime.engines.delegates import PREFIX, open_delegate, require_taken
from orilla_runtime.engines.packages import import_engine
from orilla_runtime.errors import EngineError, ModelError, OrillaError
from orilla_runtime.formats.tflite import Signature, TFLiteFile, read_tflite
from orilla_runtime.tensors import TensorSpec

_INSTALL = "Install it: pip install 'orilla[litert]'."
_PACKAGES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))


class LiteRT:
    """Runs `.tflite` files with ai-edge-litert or, where only that is installed, tflite-runtime.

    On the CPU, or on the device of a delegate that is asked for by its library (`delegate:LIBRARY`). `auto` is the CPU:
    which delegates there are, nothing on a machine says. Without a cache of XNNPACK's packed weights: the Interpreter
    has none (docs/decisions/0403-engine-and-threads.md).
    """

    name = "litert"
    formats = frozenset({"tflite"})

    def availability(self) -> Availability:
        """Runs a model of one operator."""
        # Not needed to run a model, and a tenth of the time that importing numpy takes.
        from importlib.metadata import version
        from importlib.resources import files

        try:
            package, _ = _package()
            probe = files("orilla_runtime.engines").joinpath("probes", "relu.tflite").read_bytes()
            session = self.load(probe, EngineOptions(threads=1))
            (output,) = session.run(np.array([[-1.0, 2.0]], np.float32))
            session.close()
        except OrillaError as error:
            return Availability((), reason=error.message, remedy=error.remedy)
        number = version(package)
        if output.tolist() != [[0.0, 2.0]]:
            return Availability((), number, f"{package} {number} computes wrongly.", "Install it again.")
        return Availability(("cpu",), number, notes={"package": package})

    def load(self, model: bytes, options: EngineOptions) -> Session:
        """Open a `.tflite` file.

        Raises:
            ModelError: damaged or cut; operators that this runtime lacks; several signatures and none chosen.
            EngineError: LiteRT is not installed, or another device than the CPU was asked for.
            UsageError: a number of threads below 1.
        """
        if options.device not in {"auto", "cpu"} and not options.device.startswith(PREFIX):
            raise EngineError(
                f"LiteRT has no device {options.device!r} here.",
                "Use --device cpu, or a chip's library: --device delegate:LIBRARY.",
            )
        threads = thread_count(options)
        file = read_tflite(model, words=False)
        call = file.call(options.signature)
        _, module = _package()
        resolver = module.OpResolverType.AUTO
        if options.kernels == "reference":
            # Built-in kernels without XNNPACK; BUILTIN_REF is seven times slower still and says no more.
            resolver = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        device = "cpu" if options.device == "auto" else options.device
        delegates = [open_delegate(module, device)] if device.startswith(PREFIX) else None
        try:
            interpreter = module.Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
                experimental_delegates=delegates,
            )
            if delegates:
                require_taken(interpreter, device)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise _refused(error, file) from error
        if call.subgraph:
            return _RunnerSession(interpreter, call, device)
        return _GraphSession(interpreter, call, device)


def _package() -> tuple[str, Any]:
    """Name of the installed package, and its interpreter module. Raises EngineError."""
    return import_engine("LiteRT", _PACKAGES, _INSTALL)


def _refused(error: Exception, file: TFLiteFile) -> ModelError:
    """Why the Interpreter does not take the file, in words that name the way out."""
    text = str(error)
    flex = sorted(name for name in file.custom if name.startswith("Flex"))
    if "edgetpu-custom-op" in file.custom and "edgetpu-custom-op" in text:
        return ModelError(
            "The model is compiled for an Edge TPU (operator edgetpu-custom-op) and runs nowhere else.",
            "Give the .tflite file that it was compiled from.",
        )
    if flex and "Flex" in text:
        return ModelError(
            f"The model needs TensorFlow's own operators ({_some(flex)}), which LiteRT does not carry.",
            "Convert it with built-in operators only (orilla convert does).",
        )
    if "custom op" in text:
        return ModelError(
            f"The model needs operators that LiteRT does not carry: {_some(sorted(file.custom))}.",
            "Convert it with built-in operators only.",
        )
    if isinstance(error, ValueError) and "Flatbuffer" in text:
        return ModelError("The TFLite file is damaged or cut.", "Copy or convert it again.")
    if "Didn't find op for builtin opcode" in text:
        least = f" (the file asks for runtime {file.least_runtime})" if file.least_runtime else ""
        return ModelError(f"The model is newer than the installed LiteRT{least}: {_line(text)}", "Update LiteRT.")
    return ModelError(f"LiteRT cannot prepare the model: {_line(text)}", "Convert it again, with a fixed input size.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


class _GraphSession:
    """The first subgraph, its tensors addressed by their number."""

    def __init__(self, interpreter: Any, call: Signature, device: str) -> None:
        self.device = device
        self._interpreter = interpreter
        self._call = call
        self.inputs: tuple[TensorSpec, ...] = tuple(port.spec for port in call.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(port.spec for port in call.outputs)
        self._shapes = {int(one["index"]): tuple(map(int, one["shape"])) for one in interpreter.get_input_details()}

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the model; the outputs are copies. Raises UsageError for wrong tensors, ModelError where it fails."""
        given = checked(tensors, self.inputs)
        try:
            self._resize(given)
            for port, tensor in zip(self._call.inputs, given, strict=True):
                self._interpreter.set_tensor(port.tensor, _stored(tensor))
            self._interpreter.invoke()
            outputs = tuple(self._interpreter.get_tensor(port.tensor) for port in self._call.outputs)
        except (ValueError, RuntimeError) as error:
            raise _failed(error) from error
        self.outputs = _with_known_shapes(self.outputs, outputs)
        return outputs

    def _resize(self, tensors: tuple[Tensor, ...]) -> None:
        """Give open dimensions the size of these tensors; memory is laid out again only where one changed."""
        changed = False
        for port, tensor in zip(self._call.inputs, tensors, strict=True):
            if self._shapes[port.tensor] != tensor.shape:
                self._interpreter.resize_tensor_input(port.tensor, tensor.shape, strict=True)
                self._shapes[port.tensor] = tensor.shape
                changed = True
        if changed:
            self._interpreter.allocate_tensors()

    def close(self) -> None:
        """Release the interpreter."""
        self._interpreter = None


class _RunnerSession:
    """A signature on a further subgraph, which only LiteRT's signature runner reaches."""

    def __init__(self, interpreter: Any, call: Signature, device: str) -> None:
        self.device = device
        self._runner = interpreter.get_signature_runner(call.name)
        self.inputs: tuple[TensorSpec, ...] = tuple(port.spec for port in call.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(port.spec for port in call.outputs)

    def run(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the model; the outputs are copies. Raises UsageError for wrong tensors, ModelError where it fails."""
        given = checked(tensors, self.inputs)
        feed = {spec.name: _stored(tensor) for spec, tensor in zip(self.inputs, given, strict=True)}
        try:
            found = self._runner(**feed)
        except (ValueError, RuntimeError) as error:
            raise _failed(error) from error
        outputs = tuple(found[spec.name] for spec in self.outputs)
        self.outputs = _with_known_shapes(self.outputs, outputs)
        return outputs

    def close(self) -> None:
        """Release the interpreter."""
        self._runner = None


def _stored(tensor: Tensor) -> Tensor:
    """Texts as the bytes that LiteRT stores; other tensors as they are."""
    if tensor.dtype.kind == "U":
        return np.char.encode(tensor, "utf-8")
    return tensor


def _failed(error: Exception) -> ModelError:
    return ModelError(f"LiteRT failed while it ran the model: {_line(str(error))}", "Convert the model again.")


def _with_known_shapes(specs: tuple[TensorSpec, ...], outputs: tuple[Tensor, ...]) -> tuple[TensorSpec, ...]:
    """Some outputs (those of a detector) have no shape before the first run."""
    if all(spec.shape or not output.shape for spec, output in zip(specs, outputs, strict=True)):
        return specs
    return tuple(
        TensorSpec(spec.name, spec.shape or output.shape, spec.dtype, spec.quantization)
        for spec, output in zip(specs, outputs, strict=True)
    )
