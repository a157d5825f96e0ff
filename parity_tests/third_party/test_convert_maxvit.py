"""The converter carries MaxViT between timm and google-research, and torchvision's tables here."""

from itertools import permutations, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from experiments.convert import convert_tensors
from experiments.convert.families import maxvit, maxvit_torchvision
from experiments.convert.verify import compute, loaded

from .. import budget
from ._bridge import file_of, random_norms, same_bias, same_bits
from ._import import original
from .agreement import SEED, fill, scheme

maxxvit = original("timm.models.maxxvit")
torchvision = original("torchvision.models.maxvit")
SIDE, DIMS, DEPTHS, WINDOW, HEAD = 64, (32, 64), (2, 1), (2, 2), 32
COUNTERS = "*.num_batches_tracked"


def timm_model():
    config = maxxvit.MaxxVitCfg(
        embed_dim=DIMS,
        depths=DEPTHS,
        block_type=("M", "M"),
        stem_width=8,
        stem_bias=True,
        head_hidden_size=DIMS[-1],
        **maxxvit._tf_cfg(),
    )
    return maxxvit.MaxxVit(config, img_size=SIDE, num_classes=5)


def random_model(model):
    rng = np.random.default_rng(SEED)
    fill(model, rng, "float64")
    return random_norms(model, rng).eval()


def google_names():
    """Return the names of google's variables, as its layers are named."""
    norm = ("gamma", "beta", "moving_mean", "moving_variance")
    layers = {"stem/conv_0": ("kernel", "bias"), "stem/norm_0": norm, "stem/conv_1": ("kernel", "bias")}
    for i, j in ((i, j) for i, depth in enumerate(DEPTHS) for j in range(depth)):
        block = f"block_0{i}_0{j}/"
        for name in ("pre_norm", "expand_norm", "depthwise_norm"):
            layers[f"{block}mbconv/{name}"] = norm
        layers[f"{block}mbconv/expand_conv"] = ("kernel",)
        layers[f"{block}mbconv/depthwise_conv"] = ("depthwise_kernel",)
        for name in ("se/reduce_conv2d", "se/expand_conv2d", "shrink_conv"):
            layers[f"{block}mbconv/{name}"] = ("kernel", "bias")
        if j == 0:
            layers[f"{block}mbconv/shortcut_conv"] = ("kernel", "bias")
        for last in ("", "_1"):
            layers[f"{block}attention{last}"] = ("relative_bias",)
            for name in (*(f"attention{last}/{part}" for part in "qkvo"), f"ffn{last}/expand_dense"):
                layers[block + name] = ("weight", "bias")
            layers[f"{block}ffn{last}/shrink_dense"] = ("weight", "bias")
            layers[f"{block}attn_layer_norm{last}"] = layers[f"{block}ffn_layer_norm{last}"] = norm[:2]
    layers["final_layer_norm"] = norm[:2]
    layers["cls_head/inner_dense"] = layers["cls_head/logit_dense"] = ("weight", "bias")
    return {f"maxvit/{layer}/{name}" for layer, names in layers.items() for name in names}


def google_attention(x, p, window):
    """Return google's attention of x (windows, tokens, d) in NumPy; p: {name: array}."""
    q, k, v = (np.einsum("nsd,dhk->nshk", x, p[f"{part}/weight"]) + p[f"{part}/bias"] for part in "qkv")
    scores = np.einsum("nshk,nthk->nhst", q * HEAD**-0.5, k)
    places = list(product(*map(range, window)))
    for (s, query), (t, key) in product(enumerate(places), repeat=2):
        at = [b - a + size - 1 for a, b, size in zip(query, key, window, strict=True)]
        scores[:, :, s, t] += p["relative_bias"][:, at[0], at[1]]
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    out = np.einsum("nhst,nthk->nshk", weights, v)
    return np.einsum("nshk,hkd->nsd", out, p["o/weight"]) + p["o/bias"]


def google_layers(state, model):
    """Return rows that compare google's formulas on its tensors with the layers of timm's model."""
    rng, found = np.random.default_rng(SEED), []
    block, prefix = model.stages[1].blocks[0], "maxvit/block_01_00/"
    own = {n.removeprefix(prefix): t.array for n, t in state.items() if n.startswith(prefix)}
    x = rng.standard_normal((3, 4, DIMS[1]))
    for name, layer in (("attention", block.attn_block.attn), ("attention_1", block.attn_grid.attn)):
        p = {n.removeprefix(f"{name}/"): a for n, a in own.items() if n.startswith(f"{name}/")}
        theirs = layer(torch.tensor(x).unflatten(1, WINDOW)).flatten(1, 2)
        found.append(budget.float64(name, theirs.detach().numpy(), google_attention(x, p, WINDOW)))
    theirs = block.attn_block.mlp.fc1(torch.tensor(x)).detach().numpy()
    ours = x @ own["ffn/expand_dense/weight"] + own["ffn/expand_dense/bias"]
    found.append(budget.float64("expand_dense", theirs, ours))
    image = rng.standard_normal((2, 5, 5, DIMS[0]))
    first = torch.tensor(image).permute(0, 3, 1, 2)
    theirs = F.conv2d(first, block.conv.conv1_1x1.weight)
    wide = image @ own["mbconv/expand_conv/kernel"][0, 0]
    found.append(budget.float64("expand_conv", theirs.detach().permute(0, 2, 3, 1).numpy(), wide))
    theirs = F.conv2d(theirs, block.conv.conv2_kxk.weight, groups=wide.shape[-1])
    kernel = own["mbconv/depthwise_conv/depthwise_kernel"][..., 0]
    ours = sum(kernel[dy, dx] * wide[:, dy : dy + 3, dx : dx + 3] for dy in range(3) for dx in range(3))
    theirs = theirs.detach().permute(0, 2, 3, 1).numpy()
    return [*found, budget.float64("depthwise_conv", theirs, ours)]


def tables(state, model):
    """Return a row per table and twin: the bias here and in timm."""
    found = []
    for name, layer in model.named_modules():
        if isinstance(layer, maxxvit.RelPosBiasTf):
            ours = scheme(len(layer.relative_position_bias_table), "maxvit", layer.window_size)
            found += same_bias(ours, state, f"{name}.", layer.get_bias().detach())
    return found


@pytest.mark.parametrize(("source", "target"), [*permutations(maxvit.FORMATS, 2)])
def test_maxvit(bridge, tmp_path, source, target):
    """A random model of timm's, carried to the source: the target's model computes the same."""
    model = random_model(timm_model())
    state = file_of("timm", model, tmp_path)
    allow = [COUNTERS] if "google" in (source, target) else ()
    tensors = state if source == "timm" else convert_tensors(state, source, allow=allow)[0]
    there, report = convert_tensors(tensors, target, source=source, allow=allow)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source) == ("maxvit", source)
    if target == "google":
        assert there.keys() == google_names()
        rows = google_layers(there, model)
    elif target == "here":
        rows = tables(there, model)
    else:
        images = np.random.default_rng(SEED).standard_normal((2, 3, SIDE, SIDE))
        found = compute(loaded("timm", timm_model(), there), images)
        rows = [budget.float64("logits", compute(model, images), found)]
    if allow:
        tensors = {n: t for n, t in tensors.items() if not n.endswith(COUNTERS.strip("*."))}
    bridge(report, rows + same_bits(tensors, back))


def torchvision_model():
    return torchvision.MaxVit(
        input_size=(24, 24),
        stem_channels=4,
        partition_size=3,
        block_channels=[8, 16],
        block_layers=[2, 1],
        head_dim=4,
        stochastic_depth_prob=0,
        num_classes=5,
    )


@pytest.mark.parametrize(("source", "target"), [*permutations(maxvit_torchvision.FORMATS, 2)])
def test_torchvision(bridge, tmp_path, source, target):
    """A random model's file: its tables here give its biases, and back again it loads and computes."""
    model = random_model(torchvision_model())
    saved = file_of("torchvision", model, tmp_path)
    tensors = saved if source == "torchvision" else convert_tensors(saved, "here")[0]
    there, report = convert_tensors(tensors, target)
    back, _ = convert_tensors(there, source)
    assert (report.family, report.source) == ("maxvit_torchvision", source)
    rows = []
    for name, layer in model.named_modules() if target == "here" else ():
        if isinstance(layer, torchvision.RelativePositionalMultiHeadAttention):
            ours = scheme(layer.n_heads, "2d", (3, 3))
            bias = layer.get_relative_positional_bias().detach()[0]
            rows += same_bias(ours, there, f"{name}.rel_pos.", bias)
    if target == "torchvision":
        images = np.random.default_rng(SEED).standard_normal((2, 3, 24, 24))
        found = compute(loaded(target, torchvision_model(), there), images)
        rows = [budget.float64("logits", compute(model, images), found)]
    bridge(report, rows + same_bits(tensors, back))
