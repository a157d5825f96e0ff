"""The table of what can be called, with the valid values of each argument.

An array is written by its axes: "B H L d" is floating, "L M < R" holds integers below R. A leading "?"
means that it may be left out. "|" separates alternatives, "/" alternatives that all arguments of a call
switch together. Equal letters are equal sizes. Every other argument is an `Option`.
"""

from dataclasses import dataclass, field

from numpy_ref import RelativePositionBias

from ..cases import CASES, Dropout, Integers, Mask


@dataclass(frozen=True)
class Option:
    """The valid expressions of an argument, including its default."""

    valid: tuple


@dataclass(frozen=True)
class Fixed:
    """An array of a fixed shape; maker: the function of vocabulary.py that makes it."""

    maker: str
    shape: tuple
    high: int | None = None


@dataclass(frozen=True)
class Target:
    """What can be called; kind: "op", "module" or "trainer"; steps: ((name, {argument: spec}), …).

    strict: NaN and −1 must be refused for the options.
    """

    kind: str
    steps: tuple
    strict: bool = False
    written: tuple = field(default=())  # arguments that are changed in place

    @property
    def name(self):
        return self.steps[0][0]


BACKWARD = ("backward", {"dout": "dout", "cache": "cache"})
BACKWARD_PAIR = ("backward", {"dout": "pair", "cache": "cache"})
BIAS = "?B H L M|1 H L M|B 1 1 M|H L M|1 L M|L M|M"


def op(name, *more, written=(), **arguments):
    return Target("op", ((name, arguments), *more), written=written)


ONE_ARRAY = [
    op(name, BACKWARD, x="B L d/d/B H L d") for name in ("gelu", "relu", "sigmoid", "silu", "softmax")
]
SMOOTHING = Option(("0.0", "0.1", "1.0"))
EPS = Option(("1e-6", "1e-3"))
SCORES = {"q": "B H L d", "k": "B H M d", "table": "?R H", "index": "?L M < R", "bias": BIAS}
SCORES |= {"mask": BIAS + "|W 1 L M", "scale": Option(("None", "1.0", "0.5", "2"))}
VALUES = {"v": "B H M e", "dropout": "?B H L M", "value_embedding": "?H S e|1 S e"}
VALUES |= {"value_index": "?L M < S"}
MLP = {
    "x": "B L d",
    "weight1": "m d",
    "bias1": "m",
    "weight2": "e m",
    "bias2": "e",
    "residual": "?B L e",
}
MOMENTS = dict.fromkeys(("data", "grad", "exp_avg", "exp_avg_sq"), "d e/d/B L d")
RATES = {"lr": Option(("1e-3", "0.1")), "weight_decay": Option(("0.0", "0.05"))}
RATES |= {"step": Option(("1", "7", "1000")), "betas": Option(("(0.9, 0.999)",)), "eps": EPS}
PATCH = Option(("(1, 1)", "(2, 1)", "(2, 2)"))
WINDOWS = {"window_size": Option(("2", "(2, 3)", "(5, 4)")), "shift_size": Option(("0", "1", "(1, 0)"))}
REVERSE = {"windows": "12 6 C", "size": Option(("(4, 6)", "(3, 5)"))}  # 3, 4 or 6 windows per map
REVERSE |= {"window_size": Option(("(2, 3)", "(3, 2)")), "shift_size": WINDOWS["shift_size"]}
ADDED = {"windows": "12 6 C", "size": Option(("(4, 6)",)), "residual": "2 4 6 C"}
ADDED |= {"window_size": Option(("(3, 2)",)), "shift_size": WINDOWS["shift_size"]}

OPS = [
    op("attention", BACKWARD, **SCORES, **VALUES),
    op("attention_weights", **SCORES),
    *ONE_ARRAY,
    op("bias", table="R H", index="L M < R"),
    op("bias_backward", dbias="H L M", index="L M < 7", num_rows=Option(("7",))),
    op(
        "cosine",
        ("backward", {"dout": "pair", "cache": "cache"}),
        q="B H L d",
        k="B H M d",
        logit_scale="H 1 1",
    ),
    op("cross_entropy", BACKWARD, logits="B C", labels="B < C", label_smoothing=SMOOTHING),
    op("soft_cross_entropy", BACKWARD, logits="B C", targets="B C", label_smoothing=SMOOTHING),
    op("dropout", BACKWARD, x="B L d", multiplier="B L d|B 1 1"),
    op("residual", BACKWARD, x="B L d", branch="B L d", multiplier="?B L d|B 1 1"),
    op("layer_scale", BACKWARD, x="B L d/d", gamma="d", residual="?B L d/d"),
    op("layer_norm", BACKWARD, x="B L d/d", weight="d", bias="d", eps=EPS),
    op("linear", BACKWARD, x="B L d/d", weight="e d", bias="?e", residual="?B L e/e"),
    op("merge_qkv", q="B H L d", k="B H L d", v="B H L d"),
    op("mlp", BACKWARD, **MLP),
    op("patches", BACKWARD, images="B C 4 6", patch_size=PATCH),
    op("patch_merging", BACKWARD, x="B 4 6 C|B y x C"),
    op("window_partition", BACKWARD, x="B 4 6 C|B y x C", **WINDOWS),
    op("window_mask", size=Option(("(4, 6)", "(3, 5)", "7")), **WINDOWS, dtype="dtype"),
    op("window_reverse", BACKWARD, **REVERSE),
    op("window_reverse", BACKWARD, **ADDED),
    op("score_lookup", BACKWARD, q="B H L d", embedding="H R d|1 R d", index="L M < R"),
    op("value_lookup", BACKWARD, p="B H L M", embedding="H R d|1 R d", index="L M < R"),
    op("squared_norm", x="B L d/d/B H L d"),
    op("adamw_update", written=("data", "exp_avg", "exp_avg_sq"), **MOMENTS, **RATES),
]

DOUT = ("backward", {"dout": "dout"})
DTYPE = {"dtype": "dtype"}
DRAWN = {"generator": Option(("np.random.default_rng(0)",))}


def option(*valid):
    return Option(valid)


def module(name, forward, **options):
    return Target("module", ((name, options), ("forward", forward), DOUT))


LAYERS = [
    module(
        "Linear",
        {"x": Fixed("normal", (2, 3, 4))},
        in_features=option("4"),
        out_features=option("1", "5"),
        bias=option("True", "False"),
        init_std=option("None", "0.5"),
        **DTYPE,
        **DRAWN,
    ),
    module("LayerNorm", {"x": Fixed("normal", (2, 3, 4))}, dim=option("4"), eps=EPS, **DTYPE),
    module(
        "LayerScale",
        {"x": Fixed("normal", (2, 3, 4)), "residual": Fixed("normal", (2, 3, 4))},
        dim=option("4"),
        init_values=option("1e-5", "0.1"),
        **DTYPE,
    ),
    module(
        "Mlp",
        {"x": Fixed("normal", (2, 3, 4))},
        in_features=option("4"),
        hidden_features=option("None", "7"),
        drop=option("0.0", "0.5"),
        **DTYPE,
        **DRAWN,
    ),
    module(
        "PatchEmbed",
        {"images": Fixed("normal", (2, 1, 4, 6))},
        img_size=option("(4, 6)"),
        patch_size=option("2", "(4, 3)"),
        in_chans=option("1"),
        embed_dim=option("3"),
        norm_eps=option("None", "1e-6"),
        strict_img_size=option("True", "False"),
        **DTYPE,
        **DRAWN,
    ),
    module(
        "PatchMerging",
        {"x": "B 4 6 3|B y x 3"},
        dim=option("3"),
        out_dim=option("None", "5"),
        version=option("1", "2"),
        norm_eps=EPS,
        **DTYPE,
        **DRAWN,
    ),
    module("Dropout", {"x": Fixed("normal", (2, 3))}, rate=option("0.0", "0.5"), **DRAWN),
    module("DropPath", {"x": Fixed("normal", (2, 3, 4))}, rate=option("0.5"), **DRAWN),
    module("GELU", {"x": Fixed("normal", (2, 3))}),
]

NAMES = {
    "scheme": "RelativePositionBias",
    "attention": "MultiHeadAttention",
    "block": "Block",
    "vit": "VisionTransformer",
    "swin_block": "SwinTransformerBlock",
    "swin": "SwinTransformer",
}


def of_case(case):
    """Return a case of the table of cases as a target, with the sizes and options of the case."""
    options = {name: _option(value) for name, value in case.options.items() if value is not None}
    forward = {name: _fixed(spec) for name, spec in case.inputs.items()}
    forward |= {name: Option((repr(value),)) for name, value in case.call.items() if name not in forward}
    return Target("module", ((NAMES[case.kind], options | DTYPE | DRAWN), ("forward", forward), DOUT))


def _option(value):
    if isinstance(value, dict):  # rpb_kwargs: each entry is an option
        return {name: _option(inner) for name, inner in value.items()}
    return Option((repr(value),))


def _fixed(spec):
    if isinstance(spec, Integers):
        return Fixed("integers", spec.shape, spec.high)
    makers = {Mask: "masking", Dropout: "multiplier"}
    return Fixed(makers.get(type(spec), "normal"), spec.shape)


def of_view(case, step):
    """Return the target of another method of the same module, in place of forward."""
    built, (_, forward), *_ = of_case(case).steps
    if step == "lookup_tokens":
        forward = {"num_tokens": option(str(RelativePositionBias(**case.options).num_tokens))}
    return Target("module", (built, (step, forward)))


ATTENDING = ("attention", "block", "swin_block")
MODULES = [
    *LAYERS,
    *(of_case(case) for case in CASES if case.kind in NAMES and not case.options.get("features_only")),
    *(of_view(case, "attention_weights") for case in CASES if case.kind in ATTENDING),
    *(of_view(case, "attention_maps") for case in CASES if case.kind in ("vit", "swin")),
    *(of_view(case, "lookup_tokens") for case in CASES if case.kind == "scheme" and not case.inputs),
]

BATCH = {"images": Fixed("normal", (2, 1, 4, 4)), "labels": Fixed("integers", (2,), 3)}
TRAINER = {
    "lr": option("1e-3", "0.1"),
    "total_steps": option("3", "100"),
    "warmup_steps": option("0", "2"),
    "min_lr": option("0.0", "1e-5"),
    "weight_decay": option("0.0", "0.05"),
    "table_lr_factor": option("20.0", "1.0"),
    "betas": option("(0.9, 0.999)"),
    "clip_norm": option("1.0", "None", "0.01"),
    "label_smoothing": option("0.0", "0.1"),
    "device": option("'auto'", "'cpu'"),
}
RATE = {name: TRAINER[name] for name in ("lr", "total_steps", "warmup_steps", "min_lr")}
TRAINERS = [
    Target("trainer", (("Trainer", TRAINER), ("train_step", BATCH)), strict=True),
    Target(
        "trainer",
        (
            ("Trainer", TRAINER),
            ("predict", {"images": BATCH["images"], "batch_size": option("256", "1")}),
        ),
        strict=True,
    ),
    Target("trainer", (("Trainer", TRAINER), ("evaluate", BATCH)), strict=True),
    Target("trainer", (("Trainer", TRAINER), ("attention_maps", {"images": BATCH["images"]}))),
    Target(
        "trainer",
        (
            ("Trainer", TRAINER),
            ("train_step", BATCH),
            ("load_state_dict", {"arrays": "arrays", "progress": "progress"}),
            ("train_step", BATCH),
        ),
    ),
    Target("module", (("learning_rate", {"step": option("0", "7")} | RATE),), strict=True),
]

RESIZED = {
    "new_window_size": option("(3, 2)", "(2, 5)", "4"),
    "method": option("'bicubic'", "'geometric'", "'linear'"),
    "num_prefix_tokens": option("0"),
}
FUNCTIONS = [
    Target("module", (("resize_table", {"table": "15 H", "window_size": option("(2, 3)")} | RESIZED),)),
    Target(
        "module",
        (
            (
                "resize_pos_embed",
                {
                    "pos_embed": "1 7 C",
                    "grid_size": option("(2, 3)"),
                    "new_grid_size": RESIZED["new_window_size"],
                    "method": option("'bicubic'", "'linear'"),
                    "num_prefix_tokens": option("1"),
                },
            ),
        ),
    ),
]

TARGETS = OPS + MODULES + TRAINERS + FUNCTIONS
