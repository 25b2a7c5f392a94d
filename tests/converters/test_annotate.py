"""`orilla metadata` on other people's files: what was said is there, and the model is the same bit for bit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from orilla_converters.annotate import annotate
from orilla_converters.metadata_codec import decode_metadata, encode_metadata
from orilla_converters.metadata_edit import with_labels
from orilla_converters.tflite_layer import buffers, metadata_of, split, with_metadata
from orilla_runtime.errors import ModelError, OrillaError, SinkError, UsageError
from orilla_runtime.formats.model_file import Normalization
from orilla_runtime.formats.sniff import read_model
from tests.runtime.small_models import LABELS, TFLiteBuilder, onnx_colours, schema, tflite_colours

MODELS = (
    "3in3out_model_swaps_input_2_and_0.tflite",
    "automl_labeler_model.tflite",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite",
    "deeplabv3_mnv2_dm05_pascal_quant.tflite",
    "keras_lstm_mnist_ptq.tflite",
    "kws_ref_model.tflite",
    "mobilenet_v1_0.25_128_quant_edgetpu.tflite",
    "mobilenet_v1_0.25_224_1_metadata_1.tflite",
    "mobilenet_v1_0.25_224_quant.tflite",
    "mobilenet_v1_0.25_224_quant_without_subgraph_metadata.tflite",
    "mobilenet_v2_035_96_embedder_with_metadata.tflite",
    "mobilenet_v2_1.0_224_quant.tflite",
    "mobilenet_v3_small_1.0_224.uint8.tflite",
    "model_invoking_error.tflite",
    "pretrainedResnet.tflite",
    "pretrainedResnet_quant.tflite",
    "split_concat.tflite",
    "test_model_nl_classifier_with_regex_tokenizer.tflite",
    "test_two_signature_keys_model.tflite",
    "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "vww_96_float.tflite",
    "vww_96_int8.tflite",
    "whitespace_tokenizer_flex_delegate.tflite",
)


def outputs(data: bytes) -> list[NDArray[np.generic]] | None:
    """What the bare interpreter gives for one drawn input; None where it does not take the file."""
    try:
        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        random = np.random.default_rng(0)
        for port in interpreter.get_input_details():
            high = 256 if port["dtype"] is np.uint8 else 2
            interpreter.set_tensor(port["index"], random.integers(0, high, port["shape"]).astype(port["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError, TypeError):
        return None
    return [interpreter.get_tensor(port["index"]) for port in interpreter.get_output_details()]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_written_again_a_file_is_the_same_model(name: str, shared_data: Path, tmp_path: Path) -> None:
    """Every text stays, one is new; the interpreter gives the same bits; twice gives what once gives."""
    source = shared_data / "models" / name
    before, path = source.read_bytes(), tmp_path / name
    done = annotate(source, output=path, texts={"version": "7"})
    after = path.read_bytes()
    old, new = read_model(before), read_model(after)
    assert new.metadata == {**old.metadata, "version": "7"}
    same = ("name", "inputs", "outputs", "operators", "labels", "label_files", "normalization", "signatures")
    assert all(getattr(old, key) == getattr(new, key) for key in same)
    assert buffers(after)[: len(buffers(before))] == buffers(before)
    assert split(after)[0].startswith(split(before)[0])
    wanted, found = outputs(before), outputs(after)
    assert (wanted is None) == (found is None) == (done.comparison.inputs == 0)
    for one, other in zip(wanted or (), found or (), strict=True):
        assert one.tobytes() == other.tobytes()
    annotate(path, texts={"version": "7"})
    assert path.read_bytes() == after


def test_metadata_survive_the_codec_whole(shared_data: Path) -> None:
    """Tokenizers, value labels, ranges, statistics, tensor groups: what Orilla does not use is written as it was."""
    seen = 0
    for name in MODELS:
        data = (shared_data / "models" / name).read_bytes()
        if (metadata := metadata_of(data)) is not None:
            record = decode_metadata(metadata)
            assert decode_metadata(encode_metadata(record)) == record
            seen += 1
    assert seen >= 8


@pytest.mark.parametrize(("make", "suffix"), [(tflite_colours, "tflite"), (onnx_colours, "onnx")])
def test_labels_and_normalization_read_back(make: Callable[..., bytes], suffix: str, tmp_path: Path) -> None:
    data = make(uint8=False) if suffix == "tflite" else make(dtype=onnx.TensorProto.FLOAT)
    path = write(tmp_path / f"m.{suffix}", data)
    texts = {"name": "Farben – größer", "author": "me"}
    done = annotate(path, labels=LABELS, mean=[1, 2, 3], std=[58.0], texts=texts)
    file = read_model(path.read_bytes())
    assert file.labels == LABELS
    assert file.normalization is not None
    assert len(file.normalization.mean) == 3
    assert set(file.normalization.std) == {58.0}
    assert done.comparison.inputs == 3
    assert file.name == "Farben – größer"
    annotate(path, labels=["rot", "grün", "blau"])
    again = read_model(path.read_bytes())
    assert again.labels == ("rot", "grün", "blau")
    assert again.normalization == file.normalization
    assert again.metadata["author"] == "me"


def test_what_mediapipe_asks_for(tmp_path: Path) -> None:
    """Stored entries, axis labels, as many means as deviations, one entry a tensor, a parser version it knows."""
    path = write(tmp_path / "m.tflite", tflite_colours(uint8=False))
    annotate(path, labels=["a  b", "b", "b"], mean=[127.5], std=[127.5, 127.0, 126.0])
    record = decode_metadata(metadata_of(path.read_bytes()) or b"")
    (graph,) = record["subgraph_metadata"]
    (taken,), (given,) = graph["input_tensor_metadata"], graph["output_tensor_metadata"]
    assert record["min_parser_version"] == "1.0.0"
    assert taken["content"]["content_properties"] == ("ImageProperties", {"color_space": 1})
    assert taken["process_units"] == [
        {"options": ("NormalizationOptions", {"mean": [127.5] * 3, "std": [127.5, 127.0, 126.0]})}
    ]
    assert given["content"]["content_properties"] == ("FeatureProperties", {})
    assert given["associated_files"] == [{"name": "labels.txt", "type": 2}]
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert archive.read(entry) == b"a b\nb\nb\n"


def test_what_is_there_stays(shared_data: Path, tmp_path: Path) -> None:
    """Deflated files become stored, other files stay, a label file keeps its name and its description."""
    name = "mobilenet_v1_0.25_224_1_metadata_1.tflite"
    model, files = split((shared_data / "models" / name).read_bytes())
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**files, "readme.txt": b"hello\n"}.items():
            archive.writestr(path, content)
    labels = [f"class {number}" for number in range(1001)]
    path = write(tmp_path / "m.tflite", stream.getvalue())
    annotate(path, labels=labels)
    with zipfile.ZipFile(path) as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("readme.txt") == b"hello\n"
    (graph,) = decode_metadata(metadata_of(path.read_bytes()) or b"")["subgraph_metadata"]
    (tied,) = graph["output_tensor_metadata"][0]["associated_files"]
    assert tied["description"] == "Labels for objects that the model can recognize."
    file = read_model(path.read_bytes())
    assert file.labels == tuple(labels)
    assert file.normalization == Normalization((127.5,), (127.5,))


def test_onnx_keeps_every_other_byte(tmp_path: Path) -> None:
    data = onnx_colours(metadata={"names": "{0: 'x'}", "author": "they"})
    path = write(tmp_path / "m.onnx", data)
    annotate(path, labels=LABELS, texts={"author": "me", "description": "colours"})
    old, new = onnx.load_from_string(data), onnx.load(path)
    assert {one.key: one.value for one in new.metadata_props} == {
        "names": "{0: 'x'}",
        "author": "me",
        "orilla.labels": '["red", "green", "blue"]',
    }
    assert new.doc_string == "colours"
    assert new.graph == old.graph
    onnx.checker.check_model(new, full_check=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to write"),
        ({"labels": ["a", "b"]}, "has 3 outputs and there are 2 labels"),
        ({"labels": ["a", "", "c"]}, "line 2 is empty"),
        ({"labels": "gone.txt"}, "no such label file"),
        ({"mean": [1.0]}, "belong together"),
        ({"mean": [1.0, 2.0], "std": [1.0]}, "--mean 1.0,2.0 is not possible"),
        ({"mean": [0.0], "std": [0.0]}, "--std 0.0 is not possible"),
        ({"mean": [float("nan")], "std": [1.0]}, "is not possible"),
        ({"texts": {"colour": "red"}}, "no key 'colour'"),
        ({"texts": {"name": "a\x1bb"}}, "cannot be written"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], words: str, tmp_path: Path) -> None:
    data = tflite_colours(uint8=False)
    path = write(tmp_path / "m.tflite", data)
    with pytest.raises(OrillaError, match=words):
        annotate(path, **options)  # type: ignore[arg-type]
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_bare_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a bundle"):
        annotate(write(tmp_path / "a.orilla", b"x"), texts={"name": "a"})
    with pytest.raises(ModelError, match="neither a TFLite nor an ONNX"):
        annotate(write(tmp_path / "a.bin", b"x" * 40), texts={"name": "a"})
    with pytest.raises(ModelError, match="damaged or cut"):
        annotate(write(tmp_path / "a.tflite", tflite_colours()[:200]), texts={"name": "a"})
    with pytest.raises(SinkError, match="no folder"):
        annotate(
            write(tmp_path / "b.tflite", tflite_colours()), output=tmp_path / "no" / "b.tflite", texts={"name": "a"}
        )


def test_labels_of_a_detector_are_refused(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "models" / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
    with pytest.raises(ModelError, match="4 outputs") as caught:
        annotate(path, output=tmp_path / "d.tflite", labels=LABELS)
    assert "leave --labels out" in caught.value.remedy


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tflite_colours()
    path = write(tmp_path / "m.tflite", data)

    def cut(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(KeyboardInterrupt):
        annotate(path, labels=LABELS)
    monkeypatch.undo()
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_rights_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "m.tflite", tflite_colours())
    path.chmod(0o640)
    link = tmp_path / "link.tflite"
    link.symlink_to(path)
    annotate(link, labels=LABELS)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_model(path.read_bytes()).labels == LABELS


def test_weights_at_fixed_places_are_refused() -> None:
    """Above 2 GiB a file holds its weights outside the flatbuffer, at places counted from its start."""
    model = TFLiteBuilder()
    image = model.tensor("image", [1, 3], schema.TensorType.FLOAT32)
    outside = schema.BufferT()
    outside.offset, outside.size = 4096, 12
    model.buffers.append(outside)
    with pytest.raises(ModelError, match="outside the flatbuffer"):
        with_metadata(model.build([image], [image]), encode_metadata({"name": "a"}), {}, "m.tflite")


def test_metadata_of_a_newer_schema_are_not_lost() -> None:
    import flatbuffers

    builder = flatbuffers.Builder(64)
    text = builder.CreateString("from the future")
    builder.StartObject(9)
    builder.PrependUOffsetTRelativeSlot(8, text, 0)
    builder.Finish(builder.EndObject(), b"M001")
    with pytest.raises(ModelError, match="newer than the schema"):
        decode_metadata(bytes(builder.Output()), "m.tflite")


def test_each_tensor_gets_an_entry() -> None:
    """MediaPipe refuses metadata for one of two tensors; entries that are there stay."""
    record, _ = with_labels({}, ["left", "right"], ["scores"])
    (graph,) = record["subgraph_metadata"]
    assert [entry["name"] for entry in graph["input_tensor_metadata"]] == ["left", "right"]
    old = {"subgraph_metadata": [{"input_tensor_metadata": [{"name": "a", "description": "kept"}]}]}
    record, _ = with_labels(old, ["left"], ["scores"])
    (graph,) = record["subgraph_metadata"]
    assert graph["input_tensor_metadata"] == [{"name": "a", "description": "kept"}]
    assert [file["type"] for file in graph["output_tensor_metadata"][0]["associated_files"]] == [2]
