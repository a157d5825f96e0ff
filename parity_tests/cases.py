"""THE table: scheme, op or model × shape × options. Tests, finite differences and the report read it.

A row says what to build and what to feed it; `run.py` sends it through either twin.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Normal:
    """A float input mean + N(0, 1), of which the gradient is compared."""

    shape: tuple
    mean: float = 0.0


@dataclass(frozen=True)
class Integers:
    """Integers in [0, high)."""

    shape: tuple
    high: int


@dataclass(frozen=True)
class Mask:
    """Additive mask of 0 and −100, as Swin's shifted windows have it."""

    shape: tuple


@dataclass(frozen=True)
class Dropout:
    """A drawn multiplier: 0 or 1 / (1 − 0.25)."""

    shape: tuple


@dataclass(frozen=True)
class Case:
    """kind: "op", "scheme", "attention", "block" or "vit"; name: the op or the bias_type.

    inputs: what forward is given; options: keyword arguments of the op or the constructor;
    call: keyword arguments of forward. slack: {dtype: factor} on a low-precision budget, with a reason.
    """

    kind: str
    name: str
    variant: str
    inputs: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    call: dict = field(default_factory=dict)
    slack: dict = field(default_factory=dict)
    reason: str = ""

    @property
    def id(self):
        return f"{self.kind}-{self.name}-{self.variant}"


def op(name, variant, options=None, **inputs):
    return Case("op", name, variant, inputs, options or {})


def scheme(bias_type, variant, num_heads, window_size, call=None, **options):
    options |= {"num_heads": num_heads, "window_size": window_size, "bias_type": bias_type}
    return Case("scheme", bias_type, variant, {}, options, call or {})


def attention(name, variant, shape, num_heads, rpb=None, call=None, **options):
    options |= {"embed_dim": shape[-1], "num_heads": num_heads, "rpb_kwargs": rpb}
    options["use_relative_position"] = rpb is not None
    return Case("attention", name, variant, {"x": Normal(shape)} | (call or {}), options)


def block(name, variant, shape, num_heads, rpb=None, call=None, **options):
    row = attention(name, variant, shape, num_heads, rpb, call, **options)
    return Case("block", name, variant, row.inputs, row.options)


def vit(name, variant, batch, **options):
    options = {"in_chans": 1, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5} | options
    images = Normal((batch, options["in_chans"], *options["img_size"]))
    return Case("vit", name, variant, {"images": images}, options)


CLAMPED = Normal((2, 1, 1), mean=6.0)  # logit scales beyond ln 100 = 4.6: no gradient
QKV = {"q": Normal((2, 3, 6, 8)), "k": Normal((2, 3, 6, 8)), "v": Normal((2, 3, 6, 8))}
CROSS = {"q": Normal((2, 6, 5, 4)), "k": Normal((2, 6, 7, 4)), "v": Normal((2, 6, 7, 3))}
TABLE = {"table": Normal((11, 3)), "index": Integers((6, 6), 11)}

OPS = [
    op("linear", "bias", x=Normal((2, 5, 6)), weight=Normal((4, 6)), bias=Normal((4,))),
    op("linear", "no_bias", x=Normal((7, 3)), weight=Normal((1, 3))),
    op("linear", "large", x=Normal((3, 200, 256)), weight=Normal((512, 256)), bias=Normal((512,))),
    op("layer_norm", "tokens", x=Normal((2, 5, 12)), weight=Normal((12,)), bias=Normal((12,))),
    op("layer_norm", "one_token", x=Normal((1, 1, 8)), weight=Normal((8,)), bias=Normal((8,))),
    op("gelu", "tokens", x=Normal((3, 5, 7))),
    op("gelu", "large", x=Normal((80, 1000))),
    op("relu", "tokens", x=Normal((3, 5, 7))),
    op("sigmoid", "tokens", x=Normal((3, 5, 7))),
    op("softmax", "rows", x=Normal((2, 3, 4, 9))),
    op("softmax", "one", x=Normal((2, 1))),
    op("cross_entropy", "plain", logits=Normal((6, 5)), labels=Integers((6,), 5)),
    op(
        "cross_entropy",
        "smoothed",
        {"label_smoothing": 0.1},
        logits=Normal((6, 5)),
        labels=Integers((6,), 5),
    ),
    op("patches", "square", {"patch_size": (4, 4)}, images=Normal((2, 3, 8, 8))),
    op("patches", "oblong", {"patch_size": (2, 3)}, images=Normal((2, 2, 4, 9))),
    op("bias", "square", table=Normal((25, 4)), index=Integers((9, 9), 25)),
    op("bias", "oblong", table=Normal((7, 6)), index=Integers((5, 11), 7)),
    op("bias", "one_token", table=Normal((1, 2)), index=Integers((1, 1), 1)),
    op("bias", "large", table=Normal((169, 8)), index=Integers((128, 128), 169)),
    op(
        "cosine",
        "six_heads",
        q=Normal((2, 6, 5, 4)),
        k=Normal((2, 6, 7, 4)),
        logit_scale=Normal((6, 1, 1)),
    ),
    op("cosine", "beyond_clamp", q=Normal((1, 2, 3, 4)), k=Normal((1, 2, 3, 4)), logit_scale=CLAMPED),
    op("attention", "plain", **QKV),
    op("attention", "table", **QKV, **TABLE),
    op("attention", "bias", **QKV, bias=Normal((3, 6, 6))),
    op("attention", "bias_per_key", **QKV, bias=Normal((2, 1, 1, 6))),
    op("attention", "table_bias_mask", **QKV, **TABLE, bias=Normal((3, 6, 6)), mask=Mask((6, 6))),
    op("attention", "scale", {"scale": 1.0}, **QKV, **TABLE),
    op("attention", "dropout", **QKV, **TABLE, dropout=Dropout((2, 3, 6, 6))),
    op("attention", "cross", **CROSS, table=Normal((4, 6)), index=Integers((5, 7), 4)),
    op(
        "attention",
        "shifted_windows",
        q=Normal((8, 3, 6, 8)),
        k=Normal((8, 3, 6, 8)),
        v=Normal((8, 3, 6, 8)),
        **TABLE,
        mask=Mask((4, 1, 6, 6)),
    ),
    op(
        "attention",
        "one_token",
        q=Normal((2, 1, 1, 4)),
        k=Normal((2, 1, 1, 4)),
        v=Normal((2, 1, 1, 4)),
        table=Normal((1, 1)),
        index=Integers((1, 1), 1),
    ),
]

SCHEMES = [
    scheme("1d", "eight", 4, 8),
    scheme("1d", "grid", 2, (2, 3)),
    scheme("1d", "prefix", 6, 5, num_prefix_tokens=1),
    scheme("1d", "one_token", 1, 1),
    scheme("2d", "square", 8, (7, 7)),
    scheme("2d", "int", 3, 4),
    scheme("2d", "oblong", 6, (3, 5)),
    scheme("2d", "beit", 3, (4, 3), num_prefix_tokens=1),
    scheme("2d", "registers", 2, (2, 3), num_prefix_tokens=3),
    scheme("2d", "one_token", 2, (1, 1), num_prefix_tokens=1),
    scheme("t5", "bidirectional", 4, 40),
    scheme("t5", "causal", 6, 150, bidirectional=False),
    scheme("t5", "few_buckets", 3, 30, num_buckets=8, max_distance=20),
    scheme("t5", "prefix", 2, (4, 4), num_prefix_tokens=2),
    scheme("t5", "cross", 4, 16, call={"q_size": 5, "k_size": 23}),
    scheme("alibi", "eight_heads", 8, 16),
    scheme("alibi", "six_heads", 6, 10),
    scheme("alibi", "causal", 12, 9, causal=True),
    scheme("alibi", "prefix", 3, (3, 4), num_prefix_tokens=1),
    scheme("alibi", "causal_prefix", 4, 6, causal=True, num_prefix_tokens=2),
    scheme("alibi", "cross", 4, 8, call={"q_size": 3, "k_size": 12}),
    scheme("log_cpb", "square", 4, (4, 4), hidden_features=8),
    scheme("log_cpb", "oblong", 6, (3, 5), hidden_features=8, num_prefix_tokens=1),
    scheme("log_cpb", "pretrained", 3, 4, hidden_features=8, pretrained_window_size=(8, 6)),
    scheme("log_cpb", "one_token", 2, (1, 1), hidden_features=8),
]

GRID = {"window_size": (3, 4)}
ATTENTION = [
    attention("2d", "tokens", (2, 12, 24), 4, GRID | {"bias_type": "2d"}),
    attention("2d", "class_token", (2, 13, 24), 6, GRID | {"bias_type": "2d", "num_prefix_tokens": 1}),
    attention("2d", "no_qkv_bias", (2, 12, 24), 3, GRID | {"bias_type": "2d"}, qkv_bias=False),
    attention("2d", "mask", (6, 12, 8), 2, GRID | {"bias_type": "2d"}, {"mask": Mask((3, 1, 12, 12))}),
    attention("2d", "dense", (2, 12, 8), 2, GRID | {"bias_type": "2d"}, {"bias": Normal((2, 12, 12))}),
    attention("2d", "dropout", (2, 12, 8), 2, GRID | {"bias_type": "2d"}, attn_drop=0.2, proj_drop=0.1),
    attention("1d", "tokens", (2, 9, 12), 3, {"window_size": 9, "bias_type": "1d"}),
    attention("t5", "longer", (2, 20, 12), 3, {"window_size": 9, "bias_type": "t5"}),
    attention(
        "alibi", "causal", (2, 9, 12), 3, {"window_size": 9, "bias_type": "alibi", "causal": True}
    ),
    attention(
        "log_cpb",
        "cosine",
        (2, 12, 24),
        6,
        GRID | {"bias_type": "log_cpb", "hidden_features": 8},
        cosine_attention=True,
    ),
    attention("none", "tokens", (2, 5, 12), 3),
    attention("none", "one_token", (1, 1, 4), 1),
]

BLOCKS = [
    block("2d", "tokens", (2, 12, 24), 4, GRID | {"bias_type": "2d"}),
    block(
        "2d", "dense_mask", (2, 12, 8), 2, None, {"bias": Normal((2, 12, 12)), "mask": Mask((12, 12))}
    ),
    block("2d", "drop", (4, 12, 8), 2, GRID, proj_drop=0.2, attn_drop=0.1, drop_path=0.3),
    block("log_cpb", "cosine", (2, 12, 24), 3, GRID | {"bias_type": "log_cpb"}, cosine_attention=True),
]

SMALL = {"img_size": (6, 8), "patch_size": 2}
MODELS = [
    vit("2d", "class_token", 3, **SMALL),
    vit("2d", "mean_six_heads", 2, **SMALL, global_pool="avg", num_heads=6),
    vit("2d", "shared", 3, **SMALL, position="shared_relative"),
    vit("2d", "drop", 4, **SMALL, drop_rate=0.1, attn_drop_rate=0.1, drop_path_rate=0.3),
    vit("2d", "oblong_patch_rgb", 2, img_size=(6, 9), patch_size=(2, 3), in_chans=3),
    vit("2d", "one_patch", 2, img_size=(4, 4), patch_size=4, global_pool="avg"),
    vit("1d", "mean", 2, **SMALL, global_pool="avg", rpb_kwargs={"bias_type": "1d"}),
    vit("t5", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "t5", "num_buckets": 8}),
    vit("alibi", "shared", 2, **SMALL, position="shared_relative", rpb_kwargs={"bias_type": "alibi"}),
    vit("log_cpb", "cosine", 2, **SMALL, rpb_kwargs={"bias_type": "log_cpb"}, cosine_attention=True),
    vit("absolute", "class_token", 2, **SMALL, position="absolute"),
    vit("none", "mean", 2, **SMALL, position="none", global_pool="avg"),
]

# Rows that may use more than the budget of their dtype, each with its reason.
SLACK = {
    "scheme-t5-causal": (
        {"float32": 4.0},
        "11,000 cotangents fall into bucket 0; autograd adds them up in float32, one after the other, "
        "the scatter-add of the NumPy twin in float64",
    ),
    "scheme-t5-few_buckets": (
        {"float32": 4.0},
        "hundreds of cotangents fall into each bucket; autograd adds them up in float32, the "
        "scatter-add of the NumPy twin in float64",
    ),
}
LOG_CPB = (
    {"float16": 8.0, "bfloat16": 8.0},
    "logits of 16 σ(…) and τ cos(q, k) are tens in size: half precision rounds them by many times the "
    "eps of the probabilities, before softmax and the MLP's backward see them",
)


def _with_slack(case):
    slack = SLACK.get(case.id) or (LOG_CPB if case.name == "log_cpb" else None)
    return replace(case, slack=slack[0], reason=slack[1]) if slack else case


CASES = [_with_slack(case) for case in OPS + SCHEMES + ATTENTION + BLOCKS + MODELS]
