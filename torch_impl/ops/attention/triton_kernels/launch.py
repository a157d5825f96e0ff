"""Start the kernels: from tensors to pointers, strides and grids."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import sizes
from .backward import keys_backward, queries_backward, windows_backward
from .forward import tiles_forward, windows_forward
from .table_gradient import sum_slices, tiles_table_gradient


class Terms(NamedTuple):
    """What is added to the scores, and their factor.

    table: float32 (R, H). index: int32 (Lq, Lk). queries, keys: int64, the parts of the offset's number.
    mask: (nW or 1, H or 1, Lq or 1, Lk or 1).
    """

    table: Tensor | None
    index: Tensor | None  # pyright: ignore[reportIncompatibleMethodOverride]
    queries: Tensor | None
    keys: Tensor | None
    mask: Tensor | None
    scale: float
    prefix: int
    causal: int | None


def forward(q: Tensor, k: Tensor, v: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
    """Return out (B, H, Lq, dv) and the log of each row's sum, float32 (B, H, Lq)."""
    out, lse = forward_like(q, v)
    arguments = _arguments(q, k, v, terms) | {"out": out, "lse": lse} | _strides("o", out)
    tiles, channels = _tiles(q), max(q.shape[3], v.shape[3])
    (batch, heads, q_len), k_len = q.shape[:3], k.shape[2]
    if sizes.is_window(tiles, q_len, k_len, channels):
        tile = sizes.window_tile(tiles, "windows_forward", q_len, k_len, channels)
        chunk = sizes.windows_per_program(batch, heads, batch)
        _launch(windows_forward, (-(-batch // chunk), heads), arguments | {"chunk": chunk}, tile)
    else:
        tile = sizes.tile(tiles, "forward", channels)
        _launch(tiles_forward, (-(-q_len // tile.m) * heads * batch,), arguments, tile)
    return out, lse


def backward(
    dout: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, terms: Terms
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return dq, dk, dv and dtable, float32 (R, H); it is empty without a table."""
    dq, dk, dv, dtable = backward_like(q, k, v, terms.table)
    grads = {"dq": dq, "dk": dk, "dv": dv}
    arguments = _arguments(q, k, v, terms) | grads | {"lse": lse, "dout": _dense(dout)}
    for name, grad in grads.items():
        arguments |= _strides(name, grad)
    arguments["key_at"] = arguments["slices"] = q  # not read without a table
    if terms.queries is not None and terms.keys is not None:
        arguments["key_at"] = _key_at(terms.keys, arguments["num_offsets"], terms.prefix)
    if sizes.is_window(_tiles(q), q.shape[2], k.shape[2], max(q.shape[3], v.shape[3])):
        slices = _windows_backward(arguments, q, k, v)
    else:
        slices = _tiles_backward(arguments, q, k, v, out)
    if terms.table is None:
        return dq, dk, dv, dtable
    return dq, dk, dv, _sum(slices).t()


def forward_like(q: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return tensors of the layout of what `forward` returns."""
    batch, heads, q_len = q.shape[:3]
    lse = q.new_empty((batch, heads, 2, q_len), dtype=torch.float32)
    return _new_rows(q, q_len, v.shape[3]), lse


def backward_like(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return tensors of the layout of what `backward` returns."""
    dq, dk, dv = (_new_rows(x, x.shape[2], x.shape[3]) for x in (q, k, v))
    return dq, dk, dv, q.new_empty(0) if table is None else table.new_empty(table.shape[::-1]).t()


def _new_rows(x: Tensor, tokens: int, channels: int) -> Tensor:
    """Return a new (B, H, L, C). A token's heads are neighbours, so that merging them copies nothing."""
    batch, heads = x.shape[:2]
    return x.new_empty((batch, tokens, heads, channels)).transpose(1, 2)


def _windows_backward(arguments: dict[str, Any], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Run the pass for windows; return its slices (S, H, R)."""
    batch, heads, q_len, dim = q.shape
    most = sizes.most_slices(batch, q_len, dim, arguments["num_rows"])
    chunk = sizes.windows_per_program(batch, heads, most)
    slices = _slices(arguments, -(-batch // chunk))
    arguments |= {"slices": slices, "chunk": chunk} | _strides("o", arguments["dout"])
    channels = max(dim, v.shape[3])
    tile = sizes.window_tile(_tiles(q), "windows_backward", q_len, k.shape[2], channels)
    _launch(windows_backward, (-(-batch // chunk), heads), arguments, tile)
    return slices


def _tiles_backward(arguments: dict[str, Any], q: Tensor, k: Tensor, v: Tensor, out: Tensor) -> Tensor:
    """Run passes 2 to 4; return the slices (S, H, R)."""
    (batch, heads, q_len, dim), k_len = q.shape, k.shape[2]
    tiles, channels = _tiles(q), max(dim, v.shape[3])
    delta = q.new_empty((batch, heads, q_len), dtype=torch.float32)
    arguments |= {"out": out, "delta": delta} | _strides("o", out)
    arguments |= _strides("do", arguments["dout"])
    tile = sizes.tile(tiles, "queries", channels)
    _launch(queries_backward, (-(-q_len // tile.m) * heads * batch,), arguments, tile)
    tile = sizes.tile(tiles, "keys", channels)
    _launch(keys_backward, (-(-k_len // tile.n) * heads * batch,), arguments, tile)
    if arguments["MODE"] == "none":
        return arguments["slices"]
    tile = sizes.tile(tiles, "table", channels)
    number = -(-q_len // tile.m) * -(-k_len // tile.n)
    most = sizes.most_slices(batch, q_len, dim, arguments["num_rows"])
    cut = sizes.table_jobs(batch, heads, number, most)
    slices = _slices(arguments, cut.slices)
    arguments |= {"slices": slices, "chunk": cut.chunk, "jobs": cut.jobs, "num_slices": cut.slices}
    _launch(tiles_table_gradient, (cut.slices, heads), arguments, tile)
    return slices


def _sum(slices: Tensor) -> Tensor:
    """Add up the slices (S, H, R) in order; (H, R)."""
    num_slices, heads, num_rows = slices.shape
    dtable = slices.new_empty((heads, num_rows))
    with _on(slices):
        sum_slices[(-(-num_rows // 64), heads)](
            slices, dtable, num_slices, heads, num_rows, S=16, R=64, num_warps=4
        )
    return dtable


def _slices(arguments: dict[str, Any], number: int) -> Tensor:
    """Return slices (S, H, R) of zeros; without a table they are empty."""
    shape = (number, arguments["heads"], arguments["num_rows"])
    return arguments["q"].new_zeros(shape if arguments["MODE"] != "none" else 0, dtype=torch.float32)


def _key_at(keys: Tensor, num_offsets: int, prefix: int) -> Tensor:
    """Return which key has each part of an offset's number, int32 (offsets,); −1 where none has."""
    key_at = keys.new_full((num_offsets,), -1, dtype=torch.int32)
    tokens = torch.arange(prefix, len(keys), dtype=torch.int32, device=keys.device)
    return key_at.scatter_(0, keys[prefix:].long(), tokens)


def _arguments(q: Tensor, k: Tensor, v: Tensor, terms: Terms) -> dict[str, Any]:
    """Return what the kernels are given by name; q stands for tensors that are not read."""
    table = q if terms.table is None else terms.table.t().contiguous()  # (H, R)
    mode = "none" if terms.table is None else "offsets" if terms.index is None else "index"
    num_rows = 1 if terms.table is None else len(terms.table)
    given = {name: getattr(terms, name) for name in ("index", "queries", "keys")}
    given = {name: x if x is None else x.contiguous() for name, x in given.items()}
    mask = terms.mask if terms.mask is None or _is_near(terms.mask) else terms.mask.contiguous()
    q, k, v = _dense(q), _dense(k), _dense(v)
    return {
        **{name: q if x is None else x for name, x in (given | {"mask": mask}).items()},
        **{"q": q, "k": k, "v": v, "table": table},
        **_strides("q", q) | _strides("k", k) | _strides("v", v) | _mask_strides(mask),
        **dict(zip(("batch", "heads", "q_len", "dim"), q.shape, strict=True)),
        **{"k_len": k.shape[2], "v_dim": v.shape[3], "num_rows": num_rows},
        **{"num_offsets": num_rows - 3 * bool(terms.prefix), "prefix": terms.prefix},
        **{"scale": terms.scale, "causal": terms.causal or 0},
        **{"MODE": mode, "PREFIX": terms.prefix > 0, "CAUSAL": terms.causal is not None},
        **{"D": sizes.power_of_two(q.shape[3]), "DV": sizes.power_of_two(v.shape[3])},
    }


def _mask_strides(mask: Tensor | None) -> dict[str, Any]:
    shape, strides = ((1, 1, 1, 1), (0, 0, 0, 0)) if mask is None else (mask.shape, mask.stride())
    steps = [0 if size == 1 else step for size, step in zip(shape, strides, strict=True)]
    names = ("mask_w", "mask_h", "mask_i", "mask_j")
    return dict(zip(names, steps, strict=True)) | {"num_masks": shape[0], "MASKED": mask is not None}


def _strides(name: str, x: Tensor) -> dict[str, int]:
    return {f"{name}_{axis}": step for axis, step in zip("bhl", x.stride(), strict=False)}


def _dense(x: Tensor) -> Tensor:
    """Return x with the channels of a token beside each other, and a batch element's rows near."""
    return x if x.stride(-1) == 1 and _is_near(x) else x.contiguous()


def _is_near(x: Tensor) -> bool:
    """Return whether a kernel can count the elements of x[b] in int32; 64 bits take registers."""
    return sum((n - 1) * step for n, step in zip(x.shape[1:], x.stride()[1:], strict=True)) < 2**31


def _tiles(q: Tensor) -> sizes.Tiles:
    generation = torch.cuda.get_device_capability(q.device)[0] if q.is_cuda else 8
    return sizes.tiles_for(q.dtype == torch.float32, generation)


def _launch(kernel: Any, grid: Sequence[int], arguments: dict[str, Any], tile: sizes.Tile) -> None:
    """Start a kernel with those of the arguments that it names."""
    arguments = arguments | {"M": tile.m, "N": tile.n}
    named = {name: arguments[name] for name in kernel.arg_names}
    with _on(arguments["q"]):
        kernel[tuple(grid)](**named, num_warps=tile.warps, num_stages=tile.stages)


def _on(x: Tensor) -> contextlib.AbstractContextManager[object]:
    """Return a block in which Triton launches on the tensor's GPU."""
    return torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()
