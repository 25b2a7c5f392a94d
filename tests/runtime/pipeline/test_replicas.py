"""A replica is the same model for another thread."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from orilla_runtime.engines.cpus import usable_cpus
from orilla_runtime.errors import UsageError
from orilla_runtime.model import load


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_224_quant.tflite", "mobilenet_v1_0.25_224_quant_qdq.onnx"])
def test_replicas_side_by_side_give_the_results_of_the_model(shared_data: Path, name: str) -> None:
    labels = shared_data / "models" / "imagenet_labels.txt"
    said = {} if name.endswith(".tflite") else {"labels": labels, "mean": [0], "std": [1], "channels": "rgb"}
    pictures = [np.random.default_rng(seed).integers(0, 256, (97, 61, 3), dtype=np.uint8) for seed in range(12)]
    with load(shared_data / "models" / name, **said) as model:  # type: ignore[arg-type]
        expected = [model(picture) for picture in pictures]
        replicas = [model.replica() for _ in range(3)]
        found: list[list[object]] = [[], [], []]

        def classify(number: int) -> None:
            found[number] = [replicas[number](picture) for picture in pictures]

        threads = [threading.Thread(target=classify, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for replica in replicas:
            replica.close()
        assert found == [expected] * 3
        assert model(pictures[0]) == expected[0]


def test_a_replica_is_the_model_as_it_was_loaded_and_not_the_file_that_lies_there_now(
    shared_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite").read_bytes())
    with load(path, threads=1, top=2) as model:
        path.write_bytes(b"something else")
        with model.replica() as replica:
            assert (replica.artifact, replica.engine, replica.labels) == (model.artifact, model.engine, model.labels)
            picture = np.full((20, 30, 3), 90, np.uint8)
            assert replica(picture) == model(picture)
    with pytest.raises(UsageError, match="was closed"):
        model.replica()


def test_a_model_says_how_many_threads_it_may_use(shared_data: Path) -> None:
    path = shared_data / "models" / "mobilenet_v1_0.25_224_quant.tflite"
    with load(path, threads=1) as one, load(path) as every:
        assert one.cpu_threads == 1
        assert every.cpu_threads == usable_cpus()
