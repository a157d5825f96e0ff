"""Checkpoints that the converter refuses: each is one that was right, with one thing wrong."""

from collections import Counter

import numpy as np
import pytest
from checkpoints import BY_NAME, OPTIONS, checkpoint

from experiments.convert import convert_tensors
from experiments.convert.families import FAMILIES
from experiments.convert.found import find
from experiments.convert.tensors import Tensor

QKV = "layers.0.blocks.1.attn.qkv"
INDEX = "layers.0.blocks.0.attn.relative_position_index"
MASK = "layers.0.blocks.1.attn_mask"
COORDINATES = "layers.1.blocks.0.attn.relative_coords_table"


def refused(state, to="here", name="swin", **insisted):
    with pytest.raises(ValueError) as caught:
        convert_tensors(state, to, options=OPTIONS[name], **insisted)
    return str(caught.value)


def changed(state, name, change):
    """Return the state with another array under a name."""
    array = state[name].array.copy()
    return state | {name: Tensor(state[name].code, change(array))}


def without(state, *names):
    return {name: tensor for name, tensor in state.items() if name not in names}


def test_two_families_at_once():
    state = checkpoint("swin", "timm")
    line = refused(state | checkpoint("beit", "timm"))
    assert "two families at once" in line
    assert "layers.0.blocks.0.attn.relative_position_bias_table" in line
    assert "of swin in timm, and blocks.0.attn.relative_position_bias_table" in line
    assert "swinv2" in refused(state | checkpoint("swinv2", "torchvision"))


def test_no_family():
    line = refused({"fc.weight": Tensor("F32", np.zeros((2, 2), np.float32))})
    assert line.startswith("no position tables of beit, data2vec")
    assert line.endswith("among its names, which are fc.weight")
    plain = {n: t for n, t in checkpoint("beit", "timm").items() if "relative_position" not in n}
    assert "no position tables" in refused(plain)


def may_be_taken(family, form, state):
    """Return a name for each rule and piece, the first, but for what a checkpoint may lack by itself."""
    found = find(family, form, state)
    groups = Counter(family.rules[number].group for number, _ in found.pieces)
    taken = {}
    for (number, _), names in found.pieces.items():
        rule = family.rules[number]
        if not rule.some and not (rule.optional and groups[rule.group] == 1):
            taken = {(number, piece): name for piece, name in names.items()} | taken
    return taken.values()


@pytest.mark.parametrize(("name", "form"), [(f.name, form) for f in FAMILIES for form in f.formats])
def test_every_tensor_is_missed(name, form):
    """Whichever tensor is taken out, the message has its name.

    It need not where a format's names are numbered through all stages and this one told the stages.
    """
    family, state = BY_NAME[name], checkpoint(name, form)
    to = next(other for other in reversed(family.formats) if other != form)
    for taken in may_be_taken(family, form, state):
        line = refused(without(state, taken), to, family=name, source=form, name=name)
        named = taken in line and "missing: expected" in line
        assert named or form in family.numbering, line


def test_a_missing_tensor_has_a_shape():
    state = checkpoint("swin", "timm")
    line = refused(without(state, f"{QKV}.weight"))
    assert f"{QKV}.weight missing: expected of shape (24, 8)" in line
    keys = checkpoint("swin", "transformers")
    taken = "swin.encoder.layers.1.blocks.0.attention.self.key.weight"
    line = refused(without(keys, taken))
    assert f"{taken} missing: expected a piece of one of shape (48, 16)" in line
    assert "3 more missing" in refused({n: t for n, t in state.items() if "blocks.1.mlp" not in n})


def test_a_stage_or_a_block_is_missing():
    state = checkpoint("swin", "timm")
    first = {n: t for n, t in state.items() if not n.startswith("layers.0.blocks.0")}
    assert "layers.0.blocks.0.norm1.weight" in refused(first)
    last = {n: t for n, t in state.items() if not n.startswith("layers.1")}
    assert "the stages have [8] channels" in refused(last, with_arguments=True)


def test_other_shapes():
    state = checkpoint("swin", "timm")
    line = refused(changed(state, "layers.1.blocks.0.attn.proj.weight", lambda a: a[:, :-1]))
    assert "layers.1.blocks.0.attn.proj.weight has shape (16, 15), expected (16, 16) as " in line
    assert "has shape (3, 3), expected" in refused(
        changed(state, "norm.weight", lambda a: np.zeros((3, 3)))
    )
    line = refused(changed(state, f"{QKV}.bias", lambda a: a[:-1]))
    assert f"{QKV}.bias has shape (23,), expected (24,)" in line


def test_pieces_of_other_dtypes():
    state = checkpoint("swin", "transformers")
    name = "swin.encoder.layers.0.blocks.0.attention.self.query.weight"
    line = refused(state | {name: Tensor("BF16", np.zeros((8, 8), np.uint16))})
    assert f"{name} BF16 (8, 8), " in line
    assert "expected one dtype and shape" in line


@pytest.mark.parametrize(
    ("name", "tensor", "expected"),
    [
        ("swin", INDEX, "at (0, 1) it has 22, expected 23"),
        ("swinv2", INDEX, "at (0, 1) it has 22, expected 23"),
        ("swin", MASK, "at (0, 0, 1) it has -1.0, expected 0.0"),
        ("swinv2", COORDINATES, "at (0, 0, 0, 1) it has "),
    ],
)
def test_a_buffer_that_is_not_the_one_of_the_family(name, tensor, expected):
    def change(array):
        array.reshape(-1)[1] -= 1
        return array

    state = checkpoint(name, "microsoft")
    line = refused(changed(state, tensor, change), name=name)
    assert line.startswith(f"{tensor} is not the one of {name}: ")
    assert expected in line


def test_a_mask_where_there_is_none():
    state = checkpoint("swin", "microsoft")
    line = refused(state | {"layers.0.blocks.0.attn_mask": state[MASK]})
    assert "layers.0.blocks.0.attn_mask is not expected" in line


def test_a_bias_of_the_keys_that_would_be_dropped():
    def change(array):
        array[:] = 0
        array[9] = 0.5
        return array

    state = checkpoint("swinv2", "torchvision")
    name = "features.1.0.attn.qkv.bias"
    line = refused(changed(state, name, change), name="swinv2")
    assert "what here does not store beside layers.0.blocks.0.attn.q_bias and " in line
    assert "is up to 0.5, expected zeros" in line


def test_a_window_that_does_not_fit():
    state = checkpoint("swin", "timm")
    wrong = {
        n: Tensor("F32", np.zeros((50, t.shape[1]), np.float32))
        for n, t in state.items()
        if "table" in n
    }
    with pytest.raises(ValueError, match=r"the table of layers\.0 has 50 rows, expected "):
        convert_tensors(state | wrong, "torchvision")
    with pytest.raises(ValueError, match=r"the table of layers\.0 has 49 rows, expected the 25 of 3x3"):
        convert_tensors(state, "torchvision", options={"window_size": (3, 3)})
    with pytest.raises(ValueError, match=r"the window of layers\.1 is 4x4, expected 3x3 as"):
        convert_tensors(
            state | {n: Tensor("F32", np.zeros((81, 2), np.float32)) for n in wrong if "layers.0" in n},
            "torchvision",
            options={"img_size": (12, 12)},
        )


def test_two_names_of_one_tensor():
    state = checkpoint("swin", "timm")
    line = refused(state | {"module.norm.bias": state["norm.bias"]})
    assert line == "norm.bias and module.norm.bias are two names of one tensor"


def test_what_the_caller_asks_for():
    state = checkpoint("relpos", "timm")
    assert "to is 'keras', expected one of timm" in refused(state, "keras")
    assert "to is 'microsoft', expected timm or here for relpos" in refused(state, "microsoft")
    assert "family is 'vit', expected one of" in refused(state, family="vit")
    with pytest.raises(TypeError, match="a is list, expected an ndarray"):
        convert_tensors({"a": [1.0]}, "here")
    with pytest.raises(TypeError, match="a is complex64, expected an ndarray"):
        convert_tensors({"a": np.zeros(2, np.complex64)}, "here")


def test_sizes_that_nothing_tells():
    state = checkpoint("swinv2", "timm")
    with pytest.raises(ValueError, match="nothing in the file tells the window: give window_size"):
        convert_tensors(state, "torchvision")
    with pytest.raises(
        ValueError, match="nothing in the file tells the size of the images: give img_size"
    ):
        convert_tensors(checkpoint("relpos", "timm"), "here", with_arguments=True)
    assert convert_tensors(state, "transformers")[1].arguments is None
