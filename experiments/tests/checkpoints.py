"""Random checkpoints of every family in every format, made from the families' tables."""

import re
from itertools import product

import numpy as np
from checkpoint_sizes import TABLE_SIZES

from experiments.convert.families import FAMILIES
from experiments.convert.rules import Arguments
from experiments.convert.tensors import BITS, PLAIN, Tensor, like, split

# The sizes in the rules' shapes: one for all stages, or one per stage. depths: blocks of each stage.
SWIN = {
    "C": 3,
    "P": 2,
    "Q": 2,
    "N": 5,
    "D": 8,
    "F": 16,
    "d": (8, 16),
    "h": (2, 4),
    "m": (24, 48),
    "k": 6,
}
SWIN_ARGUMENTS = {
    "img_size": (16, 16),
    "patch_size": (2, 2),
    "window_size": (4, 4),
    "always_partition": False,
}
SIZES = {
    "swin": SWIN | {"r": 49, "depths": (2, 1), "arguments": SWIN_ARGUMENTS},
    "swinv2": SWIN
    | {"depths": (2, 1), "arguments": SWIN_ARGUMENTS | {"pretrained_window_sizes": [0, 0]}},
}
VIT = {"C": 3, "P": 4, "Q": 4, "N": 5, "D": 8, "H": 2, "M": 24, "depths": (0, 0)}
VIT_ARGUMENTS = {"img_size": (12, 12), "patch_size": (4, 4), "position": "relative"}
SIZES |= {
    "beit": VIT
    | {"L": 10, "R": 28, "arguments": VIT_ARGUMENTS, "without": ("shared_rel_pos", "^norm.")},
    "data2vec": VIT
    | {"L": 10, "R": 28, "arguments": VIT_ARGUMENTS, "without": ("attn.rel_pos", "fc_norm")},
    "relpos": VIT
    | {
        "K": 6,
        "arguments": VIT_ARGUMENTS,
        "without": ("shared_rel_pos", "relative_position_bias_table", "cls_token", "^norm."),
    },
}
SIZES |= TABLE_SIZES
# Here Data2Vec-vision has BEiT's names.
INSISTED = {"data2vec": "data2vec"}
# What a file may not tell.
OPTIONS = {
    name: {
        "img_size": sizes.get("arguments", {}).get("img_size"),
        "window_size": sizes.get("arguments", {}).get("window_size"),
    }
    for name, sizes in SIZES.items()
}
BY_NAME = {family.name: family for family in FAMILIES}
PAIRS = [
    (family.name, source, target)
    for family in FAMILIES
    for source, target in product(family.formats, family.formats)
    if source != target
]


def checkpoint(name, form, code="F32", seed=0):
    """Return a random state {name: Tensor} of a family in a format, with its buffers."""
    family, sizes, rng = BY_NAME[name], SIZES[name], np.random.default_rng(seed)
    state = {}
    for rule in family.rules:
        stored = rule.stored.get(form)
        if any(part in f"^{rule.stored['here'].pieces[0].text}" for part in sizes.get("without", ())):
            continue
        for at in places(rule, sizes) if stored else ():
            whole = random_tensor(rng, shape_of(rule.shape, at, sizes), code)
            without_keys = any(None in s.pieces for s in rule.stored.values())
            if without_keys:
                split(whole, 3)[1].array[:] = 0
            if stored.transform:
                whole = whole.with_array(stored.transform.write(whole.array))
            for pattern, piece in zip(stored.pieces, split(whole, len(stored.pieces)), strict=True):
                if pattern:
                    state[family.numbered(form, pattern.fill(at), sizes["depths"])] = piece
    arguments = Arguments("", sizes.get("arguments", {}))
    for buffer in family.buffers:
        for at in places(buffer, sizes) if form in buffer.written else ():
            made = buffer.make(arguments, at)
            if made is not None:
                name = family.numbered(form, buffer.names[form].fill(at), sizes["depths"])
                state[name] = like(code, made)
    return state


def finite(family, form):
    """Return a checkpoint without buffers, whose weights are finite."""
    state, rng = checkpoint(family, form), np.random.default_rng(0)
    return {n: Tensor("F32", rng.standard_normal(t.shape, np.float32)) for n, t in state.items()}


def places(rule, sizes):
    """Return the numbers in the names of a rule; sizes["only"]: {part of a name: its only numbers}."""
    depths = sizes["depths"]
    for part, only in sizes.get("only", {}).items() if rule.some else ():
        if part in rule.stored["here"].glob:
            return only
    if len(rule.letters) < 2:
        return [(i,) for i in range(rule.first, len(depths))] if rule.letters else [()]
    return [(i, j) for i, depth in enumerate(depths) for j in range(depth)]


def shape_of(terms, at, sizes):
    shape = []
    for factor, letter in (re.fullmatch(r"(\d*)([A-Za-z]?)", term).groups() for term in terms.split()):
        size = sizes[letter] if letter else 1
        shape.append(int(factor or 1) * (size[at[0]] if isinstance(size, tuple) else size))
    return tuple(shape)


def random_tensor(rng, shape, code):
    """Return random bits of a dtype, NaNs and infinities among them."""
    dtype = (PLAIN | BITS)[code]
    raw = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    return Tensor(code, raw.view(dtype)[..., 0])
