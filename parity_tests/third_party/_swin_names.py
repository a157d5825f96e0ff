"""Our SwinTransformer's state from the parameters of other libraries' Swins, by differentiable maps.

A row is a pattern of the original's names and ours. `\\1` and `\\2` are the stage and the block.
"""

import re

import torch

TIMM = [
    (r"(.*attn)\.(relative_position_bias_table|cpb_mlp.*)", r"\1.rel_pos.\2"),
    (r"(.*)", r"\1"),
]
TORCHVISION = [
    (r"features\.0\.0\.(.*)", r"patch_embed.proj.\1"),
    (r"features\.0\.2\.(.*)", r"patch_embed.norm.\1"),
    (r"head\.(.*)", r"head.fc.\1"),
    (r"norm\.(.*)", r"norm.\1"),
]
TORCHVISION_BLOCK = [
    (r"attn\.(relative_position_bias_table|cpb_mlp.*)", r"attn.rel_pos.\1"),
    (r"mlp\.0\.(.*)", r"mlp.fc1.\1"),
    (r"mlp\.3\.(.*)", r"mlp.fc2.\1"),
    (r"(.*)", r"\1"),
]
BLOCK = r"(?:swin|swinv2)\.encoder\.layers\.(\d+)\.blocks\.(\d+)\."
TRANSFORMERS = [
    (r"(?:swin|swinv2)\.embeddings\.patch_embeddings\.projection\.(.*)", r"patch_embed.proj.\1"),
    (r"(?:swin|swinv2)\.embeddings\.norm\.(.*)", r"patch_embed.norm.\1"),
    (r"(?:swin|swinv2)\.layernorm\.(.*)", r"norm.\1"),
    (r"classifier\.(.*)", r"head.fc.\1"),
    (BLOCK + r"layernorm_before\.(.*)", r"layers.\1.blocks.\2.norm1.\3"),
    (BLOCK + r"layernorm_after\.(.*)", r"layers.\1.blocks.\2.norm2.\3"),
    (BLOCK + r"attention\.(?:o_proj|output\.dense)\.(.*)", r"layers.\1.blocks.\2.attn.proj.\3"),
    (
        BLOCK + r"attention\.relative_position_bias\.(relative_position_bias_table)",
        r"layers.\1.blocks.\2.attn.rel_pos.\3",
    ),
    (
        BLOCK + r"attention\.self\.continuous_position_bias_mlp\.(.*)",
        r"layers.\1.blocks.\2.attn.rel_pos.cpb_mlp.\3",
    ),
    (BLOCK + r"attention\.self\.logit_scale", r"layers.\1.blocks.\2.attn.logit_scale"),
    (BLOCK + r"(?:mlp\.fc1|intermediate\.dense)\.(.*)", r"layers.\1.blocks.\2.mlp.fc1.\3"),
    (BLOCK + r"(?:mlp\.fc2|output\.dense)\.(.*)", r"layers.\1.blocks.\2.mlp.fc2.\3"),
]
PROJECTION = re.compile(
    BLOCK + r"attention\.(?:self\.)?(?:(q|k|v)_proj|(q)uery|(k)ey|(v)alue)\.(weight|bias)"
)
DOWNSAMPLE = re.compile(r"(?:swin|swinv2)\.encoder\.layers\.(\d+)\.downsample\.(.*)")


def from_timm(p):
    """Return our state from timm's parameters."""
    return {_renamed(name, TIMM): a for name, a in p.items()}


def from_torchvision(p):
    """Return our state from torchvision's parameters, in which patch merging is a stage of its own.

    Version 2 zeroes the keys' third of qkv.bias at each forward: here it is left out.
    """
    state, version2 = {}, any("logit_scale" in name for name in p)
    for name, a in p.items():
        if match := re.fullmatch(r"features\.(\d*[13579])\.(\d+)\.(.*)", name):
            stage, inner = int(match[1]) // 2, _renamed(match[3], TORCHVISION_BLOCK)
            state[f"layers.{stage}.blocks.{match[2]}.{inner}"] = a
        elif match := re.fullmatch(r"features\.([1-9]*[02468])\.((?:norm|reduction).*)", name):
            state[f"layers.{int(match[1]) // 2}.downsample.{match[2]}"] = a
        else:
            state[_renamed(name, TORCHVISION)] = a
    if not version2:
        return state
    return _without_key_bias(state)


def from_transformers(p):
    """Return our state from transformers' parameters: q, k and v apart, merging at a stage's end."""
    state, parts = {}, {}
    for name, a in p.items():
        if match := PROJECTION.fullmatch(name):
            letter = next(filter(None, match.groups()[2:6]))
            parts.setdefault((match[1], match[2], match[7]), {})[letter] = a
        elif match := DOWNSAMPLE.fullmatch(name):
            state[f"layers.{int(match[1]) + 1}.downsample.{match[2]}"] = a
        else:
            state[_renamed(name, TRANSFORMERS)] = a
    for (stage, block, part), qkv in parts.items():
        prefix = f"layers.{stage}.blocks.{block}.attn"
        if "k" in qkv:
            state[f"{prefix}.qkv.{part}"] = torch.cat([qkv["q"], qkv["k"], qkv["v"]])
        else:
            state |= {f"{prefix}.q_bias": qkv["q"], f"{prefix}.v_bias": qkv["v"]}
    return state


def _without_key_bias(state):
    split = {}
    for name, a in state.items():
        if name.endswith("attn.qkv.bias"):
            q, _, v = a.chunk(3)
            prefix = name.removesuffix("qkv.bias")
            split |= {f"{prefix}q_bias": q, f"{prefix}v_bias": v}
        else:
            split[name] = a
    return split


def _renamed(name, rules):
    for pattern, ours in rules:
        if match := re.fullmatch(pattern, name):
            return match.expand(ours)
    raise KeyError(f"no rule for {name}")
