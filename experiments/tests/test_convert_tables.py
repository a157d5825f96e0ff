"""The converter's families whose tables alone are here: what is refused, and how layers are numbered."""

import numpy as np
import pytest
from checkpoints import checkpoint

from experiments.convert import convert, convert_tensors
from experiments.convert.packing import pack

SHARED = "prompt_encoder.shared_embedding.positional_embedding"
LEVIT = "blocks.6.m.proj.1.c.weight"  # in facebook's one list: two blocks, what is between, this block


def test_no_folder_without_a_whole_model(tmp_path):
    (tmp_path / "levit.safetensors").write_bytes(pack(checkpoint("levit", "timm")))
    with pytest.raises(ValueError, match="here has the tables of levit and no whole model: expected a"):
        convert(tmp_path / "levit.safetensors", tmp_path / "folder", "here")
    assert [path.name for path in tmp_path.iterdir()] == ["levit.safetensors"]


def test_no_verification_without_a_whole_model():
    with pytest.raises(
        ValueError, match="t5 cannot be verified: here has its tables and no whole model"
    ):
        convert_tensors(checkpoint("t5", "transformers"), "here", verify=True)


def test_layers_of_one_list_are_numbered_through_the_stages():
    state = checkpoint("levit", "facebook")
    converted, report = convert_tensors(state, "timm")
    assert np.array_equal(
        converted["stages.1.blocks.0.attn.proj.ln.linear.weight"].array.view(np.uint32),
        state[LEVIT].array.view(np.uint32),
    )
    shown = str(report).splitlines()
    assert "  blocks.*.m.proj.1.c.weight  3 tensors" in shown
    assert "    -> stages.*.blocks.*.attn.proj.ln.linear.weight" in shown


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (LEVIT, r"blocks\.6\.m\.proj\.1\.c\.weight missing: expected of shape \(6, v\)"),
        ("blocks.3.m.0.c.weight", r"blocks\.3\.m\.0\.c\.weight missing"),
        ("head_dist.l.", r"head_dist\.l\.weight and 1 more missing"),
    ],
)
def test_a_missing_tensor_has_the_name_of_its_format(part, says):
    state = checkpoint("levit", "facebook")
    state = {name: tensor for name, tensor in state.items() if not name.startswith(part)}
    with pytest.raises(ValueError, match=says):
        convert_tensors(state, "timm")


def test_an_index_of_another_order_is_refused():
    state = checkpoint("levit", "facebook")
    name = "blocks.4.attention_bias_idxs"
    array = state[name].array.copy()
    array[0, 1], array[0, 3] = array[0, 3], array[0, 1]
    state[name] = state[name].with_array(array)
    with pytest.raises(ValueError, match=rf"{name} is not the one of levit: at \(0, 1\) it has 3, "):
        convert_tensors(state, "timm")


def test_facebooks_levit_is_square():
    state = checkpoint("levit", "timm")
    for name, tensor in state.items():
        if name.startswith("stages.0") and name.endswith("attention_biases"):
            state[name] = tensor.with_array(tensor.array[:, :6])
    with pytest.raises(ValueError, match="a table has 6 rows, expected a square number"):
        convert_tensors(state, "facebook")


def test_the_matrix_that_transformers_has_twice_is_held_against_the_other():
    state = checkpoint("sam", "transformers")
    one = state["shared_image_embedding.positional_embedding"]
    one.array[:] = np.arange(one.array.size).reshape(one.shape)
    _, report = convert_tensors(state | {SHARED: one}, "facebook")
    assert report.dropped == {SHARED: 1}
    with pytest.raises(ValueError, match=f"{SHARED} is not the one of sam"):
        convert_tensors(state | {SHARED: one.with_array(one.array + 1)}, "facebook")


def test_a_whole_sam_becomes_timms_encoder_only_if_asked():
    state = checkpoint("sam", "facebook")
    with pytest.raises(ValueError, match="expected transformers or facebook or here for sam"):
        convert_tensors(state, "timm")
    with pytest.raises(ValueError, match="left over of sam_encoder from facebook to timm: prompt_enc"):
        convert_tensors(state, "timm", family="sam_encoder")
    allow = ("prompt_encoder.*", "mask_decoder.*")
    converted, _ = convert_tensors(state, "timm", family="sam_encoder", allow=allow)
    assert converted.keys() == checkpoint("sam_encoder", "timm").keys()


def test_a_classifier_of_timms_has_tables_here_and_is_no_encoder_elsewhere():
    state = checkpoint("sam_encoder", "timm")
    state = {n: t for n, t in state.items() if not n.startswith(("neck", "pos_embed"))}
    more = {"neck.weight": (6,), "neck.bias": (6,), "head.fc.weight": (5, 6), "head.fc.bias": (5,)}
    state |= {name: np.ones(shape, np.float32) for name, shape in more.items()}
    converted, report = convert_tensors(state, "here")
    assert (report.family, report.source) == ("sam_encoder", "timm")
    assert converted.keys() - state.keys() == {n for n in converted if ".rel_pos." in n}
    with pytest.raises(ValueError, match=r"4 left over of sam_encoder from timm to transformers: neck"):
        convert_tensors(state, "transformers")


def test_no_family_claims_the_tables_of_coatnet():
    """timm's CoAtNet has names of tables that LeViT has here; the message says what is missing."""
    name = "stages.2.blocks.0.attn.rel_pos.relative_position_bias_table"
    with pytest.raises(ValueError, match=r"missing: .*, as the other names are those of levit in here"):
        convert_tensors({name: np.ones((9, 2), np.float32)}, "here")


def test_tensorflow_does_not_count_batches():
    counter = "stem.norm1.num_batches_tracked"
    state = checkpoint("maxvit", "timm") | {counter: np.array(7)}
    for name in [*state]:
        if name.endswith("running_mean"):
            state[name.replace("running_mean", "num_batches_tracked")] = np.array(7)
    with pytest.raises(ValueError, match=r"left over of maxvit from timm to google: \S+batches_tracked"):
        convert_tensors(state, "google")
    converted, _ = convert_tensors(state, "google", allow=["*.num_batches_tracked"])
    assert converted.keys() == checkpoint("maxvit", "google").keys()
