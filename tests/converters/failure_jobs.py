"""Jobs for `test_silent_failures.py`: tiny models on which other routes write a broken file without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orilla_runtime.errors import OrillaError

SIDE = 12
TFLITE, ONNX = ("tflite:float32", "tflite:int8,calibration=8"), ("onnx:float32", "onnx:int8,calibration=8")


def everything(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The value of each function below, by its name; TensorFlow is imported once for all."""
    found = {}
    for job in (convert_all, refused_files, calibrated, negations, open_sizes):
        (folder / job.__name__).mkdir()
        found[job.__name__] = job({}, folder / job.__name__)
    return found


def _models(keras: Any) -> dict[str, tuple[list[Any], tuple[str, ...]]]:
    """Each stack of layers behind the input, with the recipes that it is converted by."""
    layers = keras.layers
    front = layers.Rescaling(1 / 255)
    tokens = keras.Input((9, 8))
    attention = keras.Model(tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens))
    patches = [front, layers.Conv2D(8, 4, strides=4), layers.Reshape((9, 8)), layers.LayerNormalization()]
    again = layers.Reshape((3, 3, 8))
    moments = {"mean": [100.0, 110.0, 120.0], "variance": [3000.0, 3100.0, 3200.0]}
    negative = [front, layers.Conv2D(8, 3, bias_initializer="ones"), layers.Rescaling(-1.0)]
    both = (*TFLITE, *ONNX)
    return {
        "normalization": ([layers.Normalization(**moments), layers.Conv2D(8, 3)], both),
        "augmentation": ([layers.RandomFlip(), layers.RandomBrightness(0.2), front, layers.Conv2D(8, 3)], both),
        "gelu": ([front, layers.Conv2D(8, 3, activation="gelu")], both),
        "grouped": ([front, layers.Conv2D(8, 3), layers.Conv2D(8, 3, groups=4)], both),
        "hard_swish": ([front, layers.Conv2D(8, 3), layers.Activation("hard_silu"), layers.Conv2D(8, 3)], both),
        "resized": ([front, layers.Resizing(10, 10), layers.CenterCrop(8, 8), layers.Conv2D(8, 3)], both),
        "batch_norm_first": ([front, layers.BatchNormalization(), layers.Conv2D(8, 3)], both),
        "dilated": ([front, layers.Conv2D(8, 3, dilation_rate=2)], both),
        "upsampled": ([front, layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(8, 3)], both),
        "padded_pool": ([*negative, layers.ZeroPadding2D(), layers.MaxPooling2D(3, strides=2)], both),
        "hard_16x8": ([front, layers.Conv2D(8, 3), layers.Activation("hard_silu")], ("tflite:16x8,calibration=8",)),
        "attention": ([*patches, attention, layers.Dense(8, activation="gelu"), again], both),
        "exported_attention": ([*patches, attention, again], TFLITE),
        "layer_norm_16x8": ([*patches, again], ("tflite:16x8,calibration=8",)),
        "several_16x8": (
            [front, layers.Conv2D(8, 3), layers.Activation("hard_silu"), layers.ELU()],
            ("tflite:16x8,calibration=8",),
        ),
        "small_dynamic": ([front, layers.Conv2D(4, 3)], ("tflite:dynamic",)),
        "bytes_in": ([front, layers.Conv2D(8, 3)], both),
        "odd_names": ([front, layers.Conv2D(8, 3, name="convolución 1, +x")], both),
        "many_classes": ([front, layers.Conv2D(8, 3)], TFLITE[1:]),
    }


def operators_of(data: bytes, recipe: str) -> list[str]:
    """The operators of an ONNX file, one for each node."""
    import onnx

    return [node.op_type for node in onnx.load_from_string(data).graph.node] if recipe.startswith("onnx") else []


def open_sizes(_parameters: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What is said of models whose height and width are open."""
    import keras

    from orilla_converters.source import open_source

    layers = keras.layers
    stacks = {
        "open": [layers.Conv2D(4, 3)],
        "open_upsampled": [layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(4, 3)],
        "open_dilated": [layers.Conv2D(4, 3, dilation_rate=2)],
    }
    found = {}
    for name, stack in stacks.items():
        head = [layers.GlobalAveragePooling2D(), layers.Dense(3), layers.Softmax()]
        path = folder / f"{name}.keras"
        try:
            keras.Sequential([keras.Input((None, None, 3)), *stack, *head]).save(path)
            open_source({"model": str(path), "raw": True})
            found[name] = "passed"
        except OrillaError as error:
            found[name] = str(error)
    return found


def convert_all(parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """For each model and recipe the error against Keras, relative to the range, or what was said of it."""
    import keras
    from jobs_for_tests import recipes

    from orilla_converters.source import open_source
    from orilla_converters.tensor_file import write_tensors
    from orilla_converters.verify import run_all
    from orilla_runtime.engines.base import EngineOptions
    from orilla_runtime.engines.selection import engine_for

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (8, 1, SIDE, SIDE, 3), dtype=np.uint8)
    sample = write_tensors(folder / "c.u8", pictures, (SIDE, SIDE, 3))
    found: dict[str, Any] = {}
    for name, (stack, wanted) in _models(keras).items():
        classes = 1000 if name == "many_classes" else 5
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes), keras.layers.Softmax()]
        dtype = "uint8" if name == "bytes_in" else "float32"
        model = keras.Sequential([keras.Input((SIDE, SIDE, 3), dtype=dtype), *stack, *head], name=name)
        path = folder / f"{name}.keras"
        if name.startswith("exported"):
            path = folder / f"{name}.saved"
            model.export(str(path), format="tf_saved_model", verbose=False)
        else:
            model.save(path)
        (folder / name).mkdir()
        given = {"model": str(path), "raw": True, "calibration": sample.to_json(), "channels": "rgb"}
        labels = [str(number) for number in range(classes)]
        made = recipes({**given, "labels": labels, "recipes": list(wanted)}, folder / name)
        exact = np.asarray(open_source(given).model(pictures[:, 0].astype("float32"), training=False))
        for recipe, value in made.items():
            if "path" not in value:
                found[f"{name} {recipe}"] = value
                continue
            data = Path(value["path"]).read_bytes()
            session = engine_for(recipe.partition(":")[0]).load(data, EngineOptions(threads=1))
            ours = run_all(session, pictures[:, 0])
            found[f"{name} {recipe}"] = {
                "error": float(np.abs(ours - exact).max() / np.ptp(exact)),
                "inputs": [spec.name for spec in session.inputs],
                "step": quantization.scale if (quantization := session.inputs[0].quantization) else None,
                "distinct": len(np.unique(ours)),
                "operators": operators_of(data, recipe),
                "finite": bool(np.isfinite(ours).all()),
            }
    return found


def calibrated(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The input's scale and zero point, calibrated on black pictures alone; what the judge says of another scale.

    And how a softmax in the middle is called that stays in float.
    """
    import keras

    from orilla_converters.recipe import parse_recipe
    from orilla_converters.source import Description, Normalization
    from orilla_converters.tensor_file import write_tensors
    from orilla_converters.tflite import write_job
    from orilla_converters.tflite_check import require_kind
    from orilla_converters.verify import Judge
    from orilla_runtime.engines.base import EngineOptions
    from orilla_runtime.engines.selection import engine_for
    from orilla_runtime.labelled.images import LabelledImages

    layers = keras.layers
    stack = [layers.Conv2D(4, 3), layers.Softmax(name="gate"), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), *stack, layers.Softmax()])
    model.save(folder / "m.keras")
    black = write_tensors(folder / "black.u8", [np.zeros((1, 8, 8, 3), np.uint8)] * 4, (8, 8, 3))
    given = {"model": str(folder / "m.keras"), "raw": True, "calibration": black.to_json(), "channels": "rgb"}
    files = {}
    for spelling in ("tflite:int8,calibration=4", "tflite:mixed,calibration=4,float_layers=gate"):
        value = write_job({**given, "labels": ["a", "b", "c"], "recipe": spelling}, folder)
        files[spelling] = Path(value["path"]).read_bytes()
    spelling = next(iter(files))
    scale = engine_for("tflite").load(files[spelling], EngineOptions(threads=1)).inputs[0].quantization
    assert scale is not None
    other = Normalization(1 / 128, -127 / 128)
    described = Description((8, 8, 3), 3, "probabilities", other.scale, other.offset)
    images = LabelledImages(folder, (Path("a.png"),) * 4, None, None)
    judge = Judge(described, black, np.full((4, 3), 1 / 3, np.float32), images, 0.01)
    try:
        require_kind(files["tflite:mixed,calibration=4,float_layers=gate"], parse_recipe("tflite:int8"))
        said = "passed"
    except OrillaError as error:
        said = str(error)
    return {
        "scale": scale.scale,
        "zero_point": scale.zero_point,
        "judged": judge.verdict(parse_recipe(spelling), files[spelling]).shortcomings,
        "softmax": said,
    }


def negations(_parameters: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
    """For each function the largest difference once its negations are taken out, and what they became."""
    import keras
    import tensorflow as tf

    from orilla_converters.compat import frozen_function, pruned
    from orilla_converters.negation import without_negation

    norm = keras.layers.LayerNormalization()
    norm.build((None, 6))
    functions = {
        "sum": lambda x: 3.0 + -x,
        "sum of products": lambda x: -x * tf.square(x) / 3.0 + x,
        "difference": lambda x: x - (-tf.square(x)),
        "from it": lambda x: -tf.square(x) - x,
        "both": lambda x: -x + -tf.square(x),
        "square of it": lambda x: -x * -x,
        "twice the same": lambda x: tf.multiply(*[-x] * 2),
        "read twice": lambda x: tf.nn.relu(n := -x) * 2.0 + (1.0 + n),
        "output": lambda x: -x,
        "layer normalization": norm,
        "gelu": lambda x: keras.activations.gelu(x, approximate=False),
    }
    given = tf.constant(np.random.default_rng(0).normal(size=(4, 6)).astype("float32"))
    found = {}
    for name, function in functions.items():
        frozen = frozen_function(
            lambda x, function=function: tf.identity(function(x)), [tf.TensorSpec((4, 6), tf.float32)]
        )
        graph = without_negation(frozen.graph.as_graph_def(), {frozen.outputs[0].op.name})
        again = pruned(graph, [frozen.inputs[0].name], [frozen.outputs[0].name])
        difference = np.abs(again(given).numpy() - function(given).numpy()).max()
        kinds = [node.op for node in graph.node]
        found[name] = {
            "difference": float(difference),
            "negations": kinds.count("Neg"),
            "operators": sorted(set(kinds)),
        }
    return found


def refused_files(_parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Files that are not what was asked, as TensorFlow writes them; what `require_kind` says to each."""
    import keras
    import tensorflow as tf

    from orilla_converters.recipe import parse_recipe
    from orilla_converters.tflite_check import require_kind

    model = keras.Sequential([keras.Input((8, 8, 3), batch_size=1), keras.layers.Conv2D(4, 3)])

    def converter() -> Any:
        return tf.lite.TFLiteConverter.from_keras_model(model)

    spectral = keras.Input((8, 8), batch_size=1)
    real, imaginary = keras.ops.fft2((spectral, keras.ops.zeros_like(spectral)))
    flex = tf.lite.TFLiteConverter.from_keras_model(keras.Model(spectral, real + imaginary))
    flex.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    concrete = tf.function(model).get_concrete_function(tf.TensorSpec((1, 8, 8, 3), tf.float32))
    variables = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    empty = converter()
    empty.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    empty.representative_dataset = lambda: iter(())
    cases = {
        "int8 that is float": (converter().convert(), "tflite:int8"),
        "no optimizations": (empty.convert(), "tflite:int8"),
        "float16 that is float": (converter().convert(), "tflite:float16"),
        "dynamic that is float": (converter().convert(), "tflite:dynamic"),
        "flex": (flex.convert(), "tflite:float32"),
        "variables": (variables.convert(), "tflite:float32"),
    }
    said = {}
    for name, (data, recipe) in cases.items():
        try:
            require_kind(data, parse_recipe(recipe))
            said[name] = "passed"
        except OrillaError as error:
            said[name] = str(error)
    return said
