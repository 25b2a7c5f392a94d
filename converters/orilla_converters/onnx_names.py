"""Gives the nodes and tensors of an ONNX graph an order and names that depend on the graph alone.

tf2onnx and ONNX Runtime number what they make in the order in which they happen to meet it, which differs from run to
run; the same model would become another file each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_NUMBERS = re.compile(r"(__\d+|:\d+)+")


def make_stable(graph: Any) -> None:
    """Order the nodes by walking from the outputs to what they need, and name everything after its node.

    A node keeps its name, which comes from its Keras layer, without the numbers; inputs and outputs of the graph keep
    theirs. What no output needs is left out.
    """
    nodes = _ordered(graph)
    kept = {port.name for port in (*graph.input, *graph.output)}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    renamed = _new_names(nodes, kept, constants)
    used = [constants[name] for name in renamed if name in constants]
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for tensor in used:
        tensor.name = renamed[tensor.name]
        tensor.doc_string = ""
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(used)


def _ordered(graph: Any) -> list[Any]:
    """Each node after all that feed it, first inputs first."""
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    ordered: list[Any] = []
    done: set[int] = set()
    waiting = [makers[port.name] for port in reversed(graph.output) if port.name in makers]
    while waiting:
        place = waiting[-1]
        needed = [makers[name] for name in graph.node[place].input if name in makers and makers[name] not in done]
        if needed and place not in done:
            waiting.extend(reversed(needed))
            continue
        waiting.pop()
        if place not in done:
            done.add(place)
            ordered.append(_copied(graph.node[place]))
    return ordered


def _copied(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _new_names(nodes: Sequence[Any], kept: set[str], constants: Mapping[str, Any]) -> dict[str, str]:
    """Old tensor names to new ones; constants stand in the order in which they are first read."""
    renamed: dict[str, str] = {}
    taken = set(kept)
    for node in nodes:
        node.name = _free(_NUMBERS.sub("", node.name) or node.op_type, taken)
        node.doc_string = ""
        for place, name in enumerate(node.input):
            if name in constants and name not in renamed:
                renamed[name] = _free(f"{node.name}/input{place}", taken)
        for place, name in enumerate(node.output):
            if name and name not in kept:
                renamed[name] = _free(f"{node.name}/output{place}", taken)
    return renamed


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
