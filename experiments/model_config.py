"""The model's section of the configuration: what all models have, and what each has of its own."""

from dataclasses import asdict, dataclass
from typing import Literal

# The options that only some models have, or that have another default there.
OF_SWIN = {
    "depths": (2, 2),
    "num_heads": (2, 4),
    "window_size": 7,
    "proj_drop_rate": 0.0,
    "norm_eps": 1e-5,
}
OWN_OPTIONS = {
    "vit": {
        "depth": 4,
        "num_heads": 4,
        "global_pool": "avg",
        "cosine_attention": False,
        "init_values": None,
        "norm_eps": 1e-6,
    },
    "swin": OF_SWIN,
    "swinv2": OF_SWIN | {"pretrained_window_sizes": None},
}
DEFAULT_SCHEMES = {"vit": "2d", "swin": "2d", "swinv2": "log_cpb"}


@dataclass
class ModelConfig:
    """The model. An option that the named model does not have must be left out or null.

    Args:
        name: vit, swin (Swin Transformer) or swinv2 (its second version).
        patch_size: side of a square patch in pixels; the image must be divisible by it.
        embed_dim: width of the tokens; in a Swin that of the first stage, each later has twice as many.
        depth: number of blocks of a vit; 4 unless given.
        depths: a Swin's number of blocks in each stage; [2, 2] unless given.
        num_heads: attention heads of each block, which must divide its width; for a vit a number, 4
            unless given; for a Swin a list with a number for each stage, [2, 4] unless given.
        window_size: a Swin's window in tokens, a number or height and width; 7 unless given; a map
            that is smaller is one window.
        pretrained_window_sizes: for a swinv2 that was resized, the window of each stage before, which
            scales the coordinates of log_cpb; null for the window's own.
        mlp_ratio: width of the MLP as a multiple of the tokens' width.
        qkv_bias: whether queries, keys and values have a bias vector; swinv2 has none on the keys.
        global_pool: of a vit: "avg" (the default) classifies the mean of all tokens, "token" a class
            token.
        cosine_attention: of a vit: scaled cosine scores with a learned temperature, which swinv2
            always has; false unless given.
        drop_rate: dropout; for a vit after the embedding, the attention projection and in the MLP; for
            a Swin before the classifier.
        proj_drop_rate: a Swin's dropout after the attention projection and in the MLP; 0 unless given.
        attn_drop_rate: dropout of the attention probabilities.
        drop_path_rate: stochastic depth of the last block; grows linearly over the blocks.
        init_values: what a vit's layer scale of each branch begins with; null for no layer scale.
        norm_eps: added to the variance in every layer norm; 1e-6 for a vit and 1e-5 for a Swin unless
            given.
        dtype: precision of weights and arithmetic.
    """

    name: Literal["vit", "swin", "swinv2"] = "vit"
    patch_size: int = 2
    embed_dim: int = 64
    depth: int | None = None
    depths: list[int] | None = None
    num_heads: list[int] | int | None = None
    window_size: list[int] | int | None = None
    pretrained_window_sizes: list[list[int]] | list[int] | None = None
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    global_pool: Literal["avg", "token"] | None = None
    cosine_attention: bool | None = None
    drop_rate: float = 0.0
    proj_drop_rate: float | None = None
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    init_values: float | None = None
    norm_eps: float | None = None
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self):
        """Fill in the model's defaults; raises ValueError for an option that it does not have."""
        foreign = {name: getattr(self, name) for name in self._foreign()}
        if given := [f"model.{name} {value}" for name, value in foreign.items() if value is not None]:
            raise ValueError(f"got {', '.join(given)}, but a {self.name} has no such option")
        for name, value in OWN_OPTIONS[self.name].items():
            if getattr(self, name) is None:
                setattr(self, name, list(value) if isinstance(value, tuple) else value)
        if self.name == "vit" and isinstance(self.num_heads, list):
            raise ValueError(f"model.num_heads is {self.num_heads}, expected one number for a vit")
        if self.name != "vit" and not isinstance(self.num_heads, list):
            raise ValueError(
                f"model.num_heads is {self.num_heads}, expected a list, a number for each stage of a "
                f"{self.name}"
            )

    @property
    def num_blocks(self):
        return self.depth if self.name == "vit" else sum(self.depths)

    @property
    def has_cosine_attention(self):
        return self.name == "swinv2" or bool(self.cosine_attention)

    def options(self):
        """Return the named model's options, {name of the constructor's argument: value}."""
        rest = {"name", *self._foreign()}
        return {name: value for name, value in asdict(self).items() if name not in rest}

    def _foreign(self):
        """Return the names of the options that only other models have."""
        own = OWN_OPTIONS[self.name]
        return [name for options in OWN_OPTIONS.values() for name in options if name not in own]
