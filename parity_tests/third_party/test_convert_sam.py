"""The converter carries SAM and its image encoder between timm, transformers and the original files."""

import inspect
import re
from itertools import permutations

import numpy as np
import pytest
import torch

from experiments.convert import convert_tensors
from experiments.convert.families.sam import ENCODER, WHOLE
from experiments.convert.reading import read
from experiments.convert.tensors import as_tensor
from experiments.convert.verify import loaded

from .. import budget
from ._bridge import same_bias, same_bits
from ._import import original
from .agreement import SEED, fill, scheme

library = original("timm.models.vision_transformer_sam")
transformers = original("transformers")
SIDE, PATCH, WINDOW, WIDTH, HEADS, NECK = 40, 8, 3, 12, 3, 16
GRID = SIDE // PATCH
GLOBAL = 1  # the layer whose window is the whole grid


def timm_model(**options):
    """Return timm's encoder with the original's eps of 1e-6, which norm_layer=None gives."""
    return library.VisionTransformerSAM(
        img_size=SIDE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=2,
        num_heads=HEADS,
        window_size=WINDOW,
        global_attn_indexes=(GLOBAL,),
        use_rel_pos=True,
        num_classes=0,
        neck_chans=NECK,
        **{"norm_layer": None} | options,
    )


def vision_config():
    return transformers.SamVisionConfig(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        image_size=SIDE,
        patch_size=PATCH,
        window_size=WINDOW,
        global_attn_indexes=[GLOBAL],
        output_channels=NECK,
        mlp_dim=4 * WIDTH,
        num_pos_feats=NECK // 2,
        attn_implementation="sdpa",
    )


def vision_model():
    return transformers.SamVisionModel(vision_config())


def whole_model():
    inner = {"hidden_size": NECK, "attn_implementation": "sdpa"}
    size = {"image_size": SIDE, "patch_size": PATCH, "mask_input_channels": 4}
    decoder = {"mlp_dim": 20, "num_attention_heads": 2, "iou_head_hidden_dim": NECK}
    config = transformers.SamConfig(
        vision_config=vision_config().to_dict(),
        prompt_encoder_config=transformers.SamPromptEncoderConfig(**inner, **size).to_dict(),
        mask_decoder_config=transformers.SamMaskDecoderConfig(**inner, **decoder).to_dict(),
        attn_implementation="sdpa",
    )
    return transformers.SamModel(config)


def random_model(build):
    torch.manual_seed(SEED)
    model = build()
    fill(model, np.random.default_rng(SEED), "float64")
    return model.eval()


def encoder_file(form, model, folder):
    """Return the encoder's tensors as its library saves them."""
    if form == "transformers":
        model.save_pretrained(folder)
        return read(folder)[0]
    state = {name: as_tensor(name, tensor.numpy()) for name, tensor in model.state_dict().items()}
    if form == "here":
        return convert_tensors(state, "here")[0]
    if form == "facebook":
        return {f"image_encoder.{name.replace('mlp.fc', 'mlp.lin')}": t for name, t in state.items()}
    return state


def encoder_of(form, tensors):
    """Return a library's encoder with these tensors, loaded strictly; timm reads the original files."""
    if form == "transformers":
        return loaded(form, vision_model(), tensors)
    if form == "facebook":
        tensors = library.checkpoint_filter_fn(tensors, None)
    return loaded("timm", timm_model(), tensors)


def features(model):
    """Return the features of random images."""
    images = torch.tensor(np.random.default_rng(SEED).standard_normal((2, 3, SIDE, SIDE)))
    with torch.no_grad():
        if hasattr(model, "forward_features"):
            return model.forward_features(images).numpy()
        return model(images).last_hidden_state.numpy()


def tables(state, blocks, prefix="blocks"):
    """Return a row per layer and twin: the bias here, and that of a layer of timm or transformers."""
    found, rng = [], np.random.default_rng(SEED)
    for n, block in enumerate(blocks):
        window = (GRID if n == GLOBAL else WINDOW,) * 2
        q = rng.standard_normal((2, HEADS, window[0] * window[1], WIDTH // HEADS))
        bias = bias_of(block.attn, torch.tensor(q).flatten(0, 1), window)
        ours = scheme(HEADS, "decomposed", window, head_dim=WIDTH // HEADS)
        theirs = bias.detach().reshape(2, HEADS, q.shape[2], q.shape[2])
        found += same_bias(ours, state, f"{prefix}.{n}.attn.rel_pos.", theirs, q)
    return found


def bias_of(layer, q, window):
    given = (q, layer.rel_pos_h, layer.rel_pos_w, window, window)
    if hasattr(layer, "get_decomposed_rel_pos"):
        return layer.get_decomposed_rel_pos(*given)
    return library.get_decomposed_rel_pos_bias(*given)


@pytest.mark.parametrize(("source", "target"), [*permutations(ENCODER, 2)])
def test_sam_encoder(bridge, tmp_path, source, target):
    """A random encoder of the source, its file, converted: the target's encoder computes the same."""
    model = random_model(vision_model if source == "transformers" else timm_model)
    tensors = encoder_file(source, model, tmp_path)
    there, report = convert_tensors(tensors, target)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source) == ("sam_encoder", source)
    if target == "here":
        rows = tables(there, model.blocks if hasattr(model, "blocks") else model.vision_encoder.layers)
    else:
        rows = [budget.float64("features", features(model), features(encoder_of(target, there)))]
    bridge(report, rows + same_bits(tensors, back))


def test_timms_samvit_has_another_eps():
    """The norms of timm's samvit have PyTorch's eps, those of transformers and the original 1e-6."""
    default = inspect.signature(library.VisionTransformerSAM).parameters["norm_layer"].default
    assert {block.norm1.eps for block in timm_model(norm_layer=default).blocks} == {1e-5}
    assert {block.norm1.eps for block in timm_model().blocks} == {1e-6}
    assert {layer.layer_norm1.eps for layer in vision_model().vision_encoder.layers} == {1e-6}


# From transformers' names to those of the original files, but for the image encoder.
ORIGINAL = (
    (
        r"shared_image_embedding\.positional_embedding",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"(?<!not_a_)point_embed\.", "point_embeddings."),
    (r"mask_embed\.conv(\d)", lambda m: f"mask_downscaling.{3 * int(m[1]) - 3}"),
    (r"mask_embed\.layer_norm(\d)", lambda m: f"mask_downscaling.{3 * int(m[1]) - 2}"),
    (r"layers\.0\.(weight|bias)", r"layers.1.\1"),
    (r"proj_in\.", "layers.0."),
    (r"proj_out\.", "layers.2."),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"layer_norm", "norm"),
)


def as_the_originals(name):
    for old, new in ORIGINAL:
        name = re.sub(old, new, name)
    return name


def masks(model):
    """Return the scores and masks for points on a random image."""
    rng = np.random.default_rng(SEED)
    images = torch.tensor(rng.standard_normal((1, 3, SIDE, SIDE)))
    points = torch.tensor(rng.uniform(0, SIDE, (1, 1, 2, 2)))
    labels = torch.tensor([[[1, 0]]])
    with torch.no_grad():
        out = model(pixel_values=images, input_points=points, input_labels=labels)
    return {"scores": out.iou_scores.numpy(), "masks": out.pred_masks.numpy()}


@pytest.mark.parametrize(("source", "target"), [*permutations(WHOLE, 2)])
def test_sam(bridge, tmp_path, source, target):
    """A random SamModel's file; from the other formats it is carried there first."""
    model = random_model(whole_model)
    model.save_pretrained(tmp_path)
    saved = read(tmp_path)[0]
    tensors = saved if source == "transformers" else convert_tensors(saved, source)[0]
    there, report = convert_tensors(tensors, target)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source) == ("sam", source)
    rows = []
    if target == "here":
        rows = tables(there, model.vision_encoder.layers, "image_encoder.blocks")
    if target == "facebook":
        rest = {as_the_originals(name) for name in saved if not name.startswith("vision_encoder")}
        assert rest == {name for name in there if not name.startswith("image_encoder")}
    if target == "transformers":
        expected, found = masks(model), masks(loaded(target, whole_model(), there))
        rows = [budget.float64(name, expected[name], found[name]) for name in expected]
    bridge(report, rows + same_bits(tensors, back))
