"""What a measured speed depends on, as one line: the processor, the CPUs that may be used, the engines' packages."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from orilla_runtime.engines.cpus import usable_cpus

# Distributions that carry an engine, as their folders in site-packages begin.
_ENGINES = ("ai_edge_litert", "tflite_runtime", "onnxruntime", "openvino")
_INFO = (".dist-info", ".egg-info")


def machine() -> str:
    """For example `x86_64 AMD EPYC, 2 CPUs, ai_edge_litert-2.3.0, onnxruntime-1.31.1`; the same at every start."""
    return ", ".join((f"{platform.machine()} {processor()}", f"{usable_cpus()} CPUs", *_packages()))


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    for file, names in (
        (Path("/proc/device-tree/model"), ()),  # boards: "Raspberry Pi 5 Model B Rev 1.0"
        (Path("/proc/cpuinfo"), ("model name", "Hardware", "CPU part")),
    ):
        text = _beginning(file)
        if text and not names:
            return text.strip("\0\n ")
        entries = _entries(text)
        found = " ".join(entries[name] for name in names if name in entries)
        if found:
            return found
    return platform.processor() or "an unknown processor"


def features() -> tuple[str, ...]:
    """Instruction sets that matter for int8 and float16, where the system names them."""
    wanted: tuple[str, ...] = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    wanted += ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2")
    entries = _entries(_beginning(Path("/proc/cpuinfo")))
    carried = set((entries.get("flags") or entries.get("Features") or "").split())
    return tuple(name for name in wanted if name in carried)


def _beginning(file: Path) -> str:
    """The first of the machine's processors is enough, and a hundred of them take a while to be listed."""
    try:
        with file.open("rb") as opened:
            return opened.read(8192).decode("utf-8", "replace")
    except OSError:
        return ""


def _entries(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _packages() -> list[str]:
    """Names and versions from the folders' names: reading their metadata would cost more than the rest of a start."""
    found = set()
    for place in sys.path:
        try:
            names = [name for name in os.listdir(place or ".") if name.startswith(_ENGINES)]  # noqa: PTH208 - far quicker
        except OSError:
            continue
        found |= {name.removesuffix(end) for name in names for end in _INFO if name.endswith(end)}
    return sorted(found)
