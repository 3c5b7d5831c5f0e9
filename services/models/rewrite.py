"""Rewrite a recogniser's PReLU so that ONNX Runtime runs it faster on a CPU.

ONNX Runtime from 1.27 on runs PReLU 1.5 times slower than before, and on x86 it leaves its
blocked (NCHWc) layout at every one. Where no slope a exceeds 1 there are two ways out:

- `max`: PReLU(x) = Max(x, a*x), bit-identical; 14.4 ms a face become 8.9.
- `blocked`: PReLU(x) = a*x + Relu((1-a)*x), two depthwise convolutions, so that the whole network
  stays in the blocked layout; 7.0 ms, and a cosine of at least 0.999999 to the original.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Form = Literal["max", "blocked"]


def best_form() -> Form:
    """The faster form on this processor: ONNX Runtime has the blocked layout on x86."""
    return "blocked" if platform.machine().lower() in ("x86_64", "amd64") else "max"


def rewrite_recogniser(source: Path, target: Path, form: Form) -> bool:
    """Write a copy with every PReLU rewritten and a free batch dimension at the output.

    The published output is declared [1, D], against which every batch would log a warning.

    Returns:
        Whether anything changed; `target` is written only then.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(source))
    weights = {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
    }
    nodes: list[Any] = []
    for node in model.graph.node:
        slope = weights.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or slope.ndim != 3 or slope.size != len(slope) or slope.max() > 1:
            nodes.append(node)
        elif form == "max":
            nodes += _max_form(node)
        else:
            added, scales = _blocked_form(node, slope)
            nodes += added
            model.graph.initializer.extend(scales)
    relaxed = False
    for output in model.graph.output:
        batch = output.type.tensor_type.shape.dim[0]
        if batch.dim_value == 1:
            batch.dim_param = "N"
            relaxed = True
    if len(nodes) == len(model.graph.node) and not relaxed:
        return False
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
    return True


def _max_form(node: Any) -> list[Any]:
    from onnx import helper

    (x, slope), (output,) = node.input, node.output
    return [
        helper.make_node("Mul", [x, slope], [f"{output}_scaled"]),
        helper.make_node("Max", [x, f"{output}_scaled"], [output]),
    ]


def _blocked_form(node: Any, slope: NDArray[np.float32]) -> tuple[list[Any], list[Any]]:
    """The nodes, and their (C, 1, 1, 1) scales, for one PReLU with (C, 1, 1) slopes."""
    from onnx import helper, numpy_helper

    x, output = node.input[0], node.output[0]
    channels = slope.size
    below, above = f"{output}_below", f"{output}_above"
    scales = [
        numpy_helper.from_array(slope.reshape(channels, 1, 1, 1), f"{below}_scale"),
        numpy_helper.from_array((1 - slope).reshape(channels, 1, 1, 1), f"{above}_scale"),
    ]
    nodes = [
        helper.make_node("Conv", [x, f"{above}_scale"], [f"{above}_raw"], group=channels),
        helper.make_node("Relu", [f"{above}_raw"], [above]),
        helper.make_node("Conv", [x, f"{below}_scale"], [below], group=channels),
        helper.make_node("Add", [below, above], [output]),
    ]
    return nodes, scales
