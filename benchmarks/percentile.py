"""Is a percentile a better range for int8 ONNX than minimum and maximum?

Two trained nets, 100 ImageNet photos to calibrate and 400 to judge. The ranges are found in two passes over the
photos: minimum and maximum of every tensor, then a histogram of each with a fixed number of bins, so that memory does
not grow with the photos. A percentile of 99.99 cuts off 0.005 % of the values at either end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.imagenet import unpack
from benchmarks.mobilenet import PREPROCESS
from benchmarks.nets import LITE0, MOBILENET, let_workers_find_benchmarks, write_net
from benchmarks.results import write
from orilla_converters.calibration import read_pictures, select
from orilla_converters.calibration_feed import calibration_tensors, normalized
from orilla_converters.metrics import compare
from orilla_converters.normalization import Normalization
from orilla_converters.reference import probabilities
from orilla_converters.tensor_file import TensorFile
from orilla_converters.tracing import INPUT, LOGITS
from orilla_converters.worker import Workshop
from orilla_runtime.labelled.reading import read_labelled

PERCENTILES = (100.0, 99.9999, 99.999, 99.99, 99.9)
"""100 is minimum and maximum."""
BINS = 16384


def ranges_job(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Job: write one int8 file for each percentile; the value is their `paths`."""
    import onnx
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data

    graph = Path(parameters["graph"])
    sample = TensorFile.from_json(parameters["calibration"])
    front = Normalization(*parameters["normalization"])
    model = onnx.shape_inference.infer_shapes(onnx.load(graph))
    kept = {tensor.name for tensor in (*model.graph.initializer, *model.graph.output)}
    names = [name for node in model.graph.node for name in node.output if name not in kept]
    types = {info.name: info.type.tensor_type.elem_type for info in model.graph.value_info}
    names = [name for name in names if types.get(name) == TensorProto.FLOAT]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [INPUT, LOGITS, *names]

    def values() -> Any:
        for tensor in calibration_tensors(sample, front):
            yield [tensor, *session.run(names[1:], {INPUT: tensor})]

    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for tensors in values():
        low = np.minimum(low, [tensor.min() for tensor in tensors])
        high = np.maximum(high, [tensor.max() for tensor in tensors])
    width = np.maximum((high - low) / BINS, 1e-30)
    histograms = np.zeros((len(names), BINS), np.int64)
    for tensors in values():
        for row, tensor in enumerate(tensors):
            bins = ((tensor.ravel() - np.float32(low[row])) * np.float32(1 / width[row])).astype(np.int32)
            histograms[row] += np.bincount(np.clip(bins, 0, BINS - 1), minlength=BINS)
    shares = np.cumsum(histograms, axis=1) / histograms.sum(axis=1, keepdims=True)
    paths = {}
    for percentile in PERCENTILES:
        cut = (100 - percentile) / 200
        found = {}
        for row, name in enumerate(names):
            first = np.searchsorted(shares[row], cut, side="right") * width[row] + low[row]
            last = (np.searchsorted(shares[row], 1 - cut) + 1) * width[row] + low[row]
            exact = percentile == 100 or name == INPUT
            ends = (low[row], high[row]) if exact else (first, min(last, high[row]))
            found[name] = tuple(np.array([end], np.float32) for end in ends)
        cache = folder / f"{percentile}.json"
        save_tensors_data(TensorsData(CalibrationMethod.MinMax, found), cache)
        paths[str(percentile)] = str(folder / f"{percentile}.onnx")
        quantize_static(
            graph,
            paths[str(percentile)],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            calibration_cache_path=cache,
        )
    return {"paths": paths}


def judged(path: str, pictures: TensorFile, front: Normalization) -> Any:
    """Probabilities of a file that takes normalized pixels and gives logits."""
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = [session.run([LOGITS], {INPUT: normalized(picture[np.newaxis], front)})[0] for picture in pictures]
    return probabilities(np.concatenate(logits))


def main() -> None:
    let_workers_find_benchmarks()
    rows = []
    with Workshop() as workshop, tempfile.TemporaryDirectory() as name:
        data = read_labelled(unpack(Path(name)))
        chosen = select(data, None, calibration=100, seed=0)
        for net in (MOBILENET, LITE0):
            model = workshop.scratch / f"{net}.keras"
            write_net(net, model)
            source: dict[str, Any] = {"model": str(model), "raw": True}
            calibration, photos = (
                read_pictures(data, indices, PREPROCESS, workshop.scratch / f"{net}{len(indices)}.u8")
                for indices in (chosen.calibration, chosen.judged)
            )
            tensors = {"tensors": photos.tensors.to_json(), "calibration": calibration.tensors.to_json()}
            keras = np.load(workshop.run("reference", net, source | tensors)["path"])
            made = workshop.run("onnx-graph", net, source | {"batch": "1"})
            front = made["ports"]["inputs"][0]["normalization"]
            graph = {"graph": made["path"], "normalization": [front["scale"], front["offset"]]}
            paths = workshop.run("benchmarks.percentile:ranges_job", net, {**graph, **tensors})["paths"]
            for percentile, path in paths.items():
                found = judged(path, photos.tensors, Normalization(**front))
                metrics = compare(keras, found, photos.images.class_ids).metrics
                assert metrics.accuracy is not None
                figures = {"top1": round(metrics.accuracy.top1, 4), "agreement": round(metrics.agreement, 4)}
                rows.append({"net": net, "percentile": percentile, **figures, "sqnr_db": metrics.sqnr_db})
    write("percentile", "Ranges of int8 ONNX: minimum and maximum against percentiles", {"bins": BINS}, rows)


if __name__ == "__main__":
    main()
