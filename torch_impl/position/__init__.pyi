"""Relative position bias schemes, for an editor and the type checker. Written by `make stubs`."""

from collections.abc import Sequence
from typing import Literal, Required, TypedDict, overload

from ..types import DTypeLike, Generator, IndexLike, SizeLike
from ._base import PositionBias as PositionBias
from ._base import Resized as Resized
from ._base import ScoreTerms as ScoreTerms
from .alibi import ALiBi
from .alibi2d import ALiBi2D
from .custom import Custom
from .decomposed import Decomposed
from .dynamic import Dynamic
from .dynamic_1d import Dynamic1D
from .fire import FIRE
from .gated_t5 import GatedT5
from .halo import Halo
from .irpe import IRPE
from .irpe_bias import IRPEBias
from .kerple import KERPLE
from .levit import LeViT
from .log_cpb import LogCPB
from .maxvit import MaxViT
from .one_d import OneD
from .rel_pos_mlp import RelPosMlp
from .sandwich import Sandwich
from .shaw import Shaw
from .sum import Sum
from .t5 import T5
from .three_d import ThreeD
from .transformer_xl import TransformerXL
from .two_d import TwoD

BiasType = Literal[
    "1d",
    "2d",
    "3d",
    "alibi",
    "alibi2d",
    "custom",
    "decomposed",
    "dynamic",
    "dynamic_1d",
    "fire",
    "gated_t5",
    "halo",
    "irpe",
    "irpe_bias",
    "kerple",
    "levit",
    "log_cpb",
    "maxvit",
    "rel_pos_mlp",
    "sandwich",
    "shaw",
    "sum",
    "t5",
    "transformer_xl",
]
SCHEMES: dict[BiasType, type[PositionBias]]

def scheme_options(bias_type: BiasType) -> list[str]: ...

class OneDKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["1d"]]
    init_std: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class TwoDKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Literal["2d"]
    init_std: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class ThreeDKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["3d"]]
    init_std: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class ALiBiKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["alibi"]]
    init_std: float
    causal: bool
    asymmetric: bool
    learned_slopes: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class ALiBi2DKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["alibi2d"]]
    init_std: float
    learned_slopes: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class CustomKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["custom"]]
    init_std: float
    index: IndexLike | None
    num_rows: int | None
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class DecomposedKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["decomposed"]]
    init_std: float
    head_dim: int
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class DynamicKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["dynamic"]]
    init_std: float
    hidden_features: int
    residual: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class Dynamic1DKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["dynamic_1d"]]
    init_std: float
    hidden_features: int
    depth: int
    log_distance: bool
    norm: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class FIREKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["fire"]]
    init_std: float
    hidden_features: int
    init_length: int
    causal: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class GatedT5Kwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["gated_t5"]]
    init_std: float
    head_dim: int
    num_buckets: int
    max_distance: int
    bidirectional: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class HaloKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["halo"]]
    init_std: float
    head_dim: int
    halo_size: int
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class IRPEKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["irpe"]]
    init_std: float
    head_dim: int
    method: Literal["euclidean", "quant", "cross", "product"]
    rpe_on: str
    shared_head: bool
    ratio: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class IRPEBiasKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["irpe_bias"]]
    init_std: float
    method: Literal["euclidean", "quant", "cross", "product"]
    shared_head: bool
    ratio: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class KERPLEKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["kerple"]]
    init_std: float
    kernel: Literal["log", "power"]
    causal: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class LeViTKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["levit"]]
    init_std: float
    stride: int
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class LogCPBKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["log_cpb"]]
    init_std: float
    pretrained_window_size: SizeLike | None
    hidden_features: int
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class MaxViTKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["maxvit"]]
    init_std: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class RelPosMlpKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["rel_pos_mlp"]]
    init_std: float
    mode: Literal["cr", "swin"]
    pretrained_window_size: SizeLike | None
    hidden_features: int
    drop: float
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class SandwichKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["sandwich"]]
    init_std: float
    sinusoid_dim: int
    causal: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class ShawKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["shaw"]]
    init_std: float
    head_dim: int
    max_distance: int
    values: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class SumKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["sum"]]
    init_std: float
    parts: Sequence[RpbKwargs]
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class T5Kwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["t5"]]
    init_std: float
    num_buckets: int
    max_distance: int
    bidirectional: bool
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

class TransformerXLKwargs(TypedDict, total=False):
    num_heads: int
    window_size: SizeLike
    bias_type: Required[Literal["transformer_xl"]]
    init_std: float
    head_dim: int
    num_prefix_tokens: int
    dtype: DTypeLike | None
    generator: Generator | None

RpbKwargs = (
    OneDKwargs
    | TwoDKwargs
    | ThreeDKwargs
    | ALiBiKwargs
    | ALiBi2DKwargs
    | CustomKwargs
    | DecomposedKwargs
    | DynamicKwargs
    | Dynamic1DKwargs
    | FIREKwargs
    | GatedT5Kwargs
    | HaloKwargs
    | IRPEKwargs
    | IRPEBiasKwargs
    | KERPLEKwargs
    | LeViTKwargs
    | LogCPBKwargs
    | MaxViTKwargs
    | RelPosMlpKwargs
    | SandwichKwargs
    | ShawKwargs
    | SumKwargs
    | T5Kwargs
    | TransformerXLKwargs
)

@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["1d"],
    init_std: float = 0.02,
    *,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> OneD: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["2d"] = "2d",
    init_std: float = 0.02,
    *,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> TwoD: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["3d"],
    init_std: float = 0.02,
    *,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> ThreeD: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["alibi"],
    init_std: float = 0.02,
    *,
    causal: bool = False,
    asymmetric: bool = False,
    learned_slopes: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> ALiBi: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["alibi2d"],
    init_std: float = 0.02,
    *,
    learned_slopes: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> ALiBi2D: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["custom"],
    init_std: float = 0.02,
    *,
    index: IndexLike | None = None,
    num_rows: int | None = None,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Custom: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["decomposed"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Decomposed: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["dynamic"],
    init_std: float = 0.02,
    *,
    hidden_features: int = 16,
    residual: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Dynamic: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["dynamic_1d"],
    init_std: float = 0.02,
    *,
    hidden_features: int = 16,
    depth: int = 2,
    log_distance: bool = False,
    norm: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Dynamic1D: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["fire"],
    init_std: float = 0.02,
    *,
    hidden_features: int = 32,
    init_length: int = 512,
    causal: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> FIRE: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["gated_t5"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    num_buckets: int = 32,
    max_distance: int = 128,
    bidirectional: bool = True,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> GatedT5: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["halo"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    halo_size: int = 0,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Halo: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["irpe"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    method: Literal["euclidean", "quant", "cross", "product"] = "product",
    rpe_on: str = "k",
    shared_head: bool = True,
    ratio: float = 1.9,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> IRPE: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["irpe_bias"],
    init_std: float = 0.02,
    *,
    method: Literal["euclidean", "quant", "cross", "product"] = "product",
    shared_head: bool = True,
    ratio: float = 1.9,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> IRPEBias: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["kerple"],
    init_std: float = 0.02,
    *,
    kernel: Literal["log", "power"] = "log",
    causal: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> KERPLE: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["levit"],
    init_std: float = 0.02,
    *,
    stride: int = 1,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> LeViT: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["log_cpb"],
    init_std: float = 0.02,
    *,
    pretrained_window_size: SizeLike | None = None,
    hidden_features: int = 512,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> LogCPB: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["maxvit"],
    init_std: float = 0.02,
    *,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> MaxViT: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["rel_pos_mlp"],
    init_std: float = 0.02,
    *,
    mode: Literal["cr", "swin"] = "cr",
    pretrained_window_size: SizeLike | None = None,
    hidden_features: int = 128,
    drop: float = 0.125,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> RelPosMlp: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["sandwich"],
    init_std: float = 0.02,
    *,
    sinusoid_dim: int = 128,
    causal: bool = False,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Sandwich: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["shaw"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    max_distance: int = 16,
    values: bool = True,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Shaw: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["sum"],
    init_std: float = 0.02,
    *,
    parts: Sequence[RpbKwargs] = (),
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> Sum: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["t5"],
    init_std: float = 0.02,
    *,
    num_buckets: int = 32,
    max_distance: int = 128,
    bidirectional: bool = True,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> T5: ...
@overload
def RelativePositionBias(
    num_heads: int,
    window_size: SizeLike,
    bias_type: Literal["transformer_xl"],
    init_std: float = 0.02,
    *,
    head_dim: int,
    num_prefix_tokens: int = 0,
    dtype: DTypeLike | None = None,
    generator: Generator | None = None,
) -> TransformerXL: ...
