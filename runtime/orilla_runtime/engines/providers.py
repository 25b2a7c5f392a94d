"""The execution providers of ONNX Runtime that Orilla knows: one line a device.

Which package carries which: onnxruntime.ai/docs/execution-providers, and the packages themselves.
"""

from __future__ import annotations

from orilla_runtime.records import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """A device, ONNX Runtime's name for its provider, and the package that carries it.

    `tested`: Orilla's makers ran whole models on it. The others are wired up and nobody has tried them.
    """

    device: str
    provider: str
    package: str
    tested: bool = False


# Best first: `auto` takes the first that works. Azure's is none: it sends tensors to a server.
PROVIDERS = (
    Provider("tensorrt", "TensorrtExecutionProvider", "onnxruntime-gpu"),
    Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu"),
    Provider("rocm", "ROCMExecutionProvider", "onnxruntime-rocm"),
    Provider("directml", "DmlExecutionProvider", "onnxruntime-directml"),
    Provider("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino"),
    Provider("qnn", "QNNExecutionProvider", "onnxruntime-qnn"),
    Provider("coreml", "CoreMLExecutionProvider", "onnxruntime"),
    Provider("xnnpack", "XnnpackExecutionProvider", "onnxruntime"),
    Provider("cpu", "CPUExecutionProvider", "onnxruntime", tested=True),
)
# Devices that `auto` may take: those whose results stay close to the CPU's and that load any model in seconds.
AUTOMATIC = frozenset({"cuda", "cpu"})
