"""docs/conformance.md as code: what its blocks define, and its answers to the vectors."""

import contextlib
import functools
import io
from pathlib import Path
from types import SimpleNamespace

from .test_docs import blocks

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
INDICES = {
    **dict.fromkeys(("1d", "2d", "3d"), "window_index"),
    **dict.fromkeys(("t5", "gated_t5"), "t5_index"),
    **dict.fromkeys(("irpe", "irpe_bias"), "irpe_index"),
    **dict.fromkeys(("maxvit", "levit", "shaw", "halo", "decomposed")),
    **dict.fromkeys(("alibi", "alibi2d", "kerple", "sandwich", "dynamic"), "computed_index"),
    **dict.fromkeys(("dynamic_1d", "log_cpb", "rel_pos_mlp", "transformer_xl"), "computed_index"),
}


def defined(*changes):
    """Return what the page's blocks define.

    changes: (text, other text), a mistake to be put into the code.
    """
    codes = [code for code, _ in blocks(PAGE)]
    for text, _ in changes:
        assert any(text in code for code in codes), text
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for code in codes:
            exec(functools.reduce(lambda code, change: code.replace(*change), changes, code), namespace)
    for name in ("t5_bucket", "irpe_g"):  # large powers of integers
        namespace[name] = functools.cache(namespace[name])
    return SimpleNamespace(**namespace)


def results_of(page, case, inputs, douts):
    """Return the results that the page's definitions give for a case."""
    kind, options = case["kind"], case["options"]
    if kind == "index":
        scheme = case["scheme"]
        return {"out": getattr(page, INDICES[scheme] or f"{scheme}_index")(**options)}
    if kind == "shift":
        return {"out": page.shift_mask(**options)}
    if kind == "attention":
        out, p = page.attention(**inputs, **options)
        return {"out": out} | page.attention_backward(douts[0], p, **inputs, **options)
    if kind == "bias":
        index, rows = inputs["index"], len(inputs["table"])
        return {"out": page.bias(**inputs), "dtable": page.bias_backward(douts[0], index, rows)}
    if kind == "cosine":
        q, k = page.cosine(**inputs)
        return {"out.0": q, "out.1": k} | page.cosine_backward(douts, **inputs)
    if kind in ("score_lookup", "value_lookup"):
        backward = getattr(page, f"{kind}_backward")
        return {"out": getattr(page, kind)(**inputs)} | backward(douts[0], **inputs)
    if kind == "windows":
        x = inputs["x"]
        return {
            "out": page.partition(x, **options),
            "dx": page.reverse(douts[0], x.shape[1:3], **options),
        }
    if kind == "reverse":
        cut = {name: value for name, value in options.items() if name != "size"}
        grads = {"dwindows": page.partition(douts[0], **cut), "dresidual": douts[0]}
        if "residual" not in inputs:
            del grads["dresidual"]
        return {"out": page.reverse(**inputs, **options)} | grads
    assert kind == "resize"
    return {
        "out": page.resize(**inputs, **options),
        "dtable": page.resize(douts[0], **options, backward=True),
    }
