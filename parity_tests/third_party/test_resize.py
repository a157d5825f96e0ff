"""Tables and embeddings for another window, as timm, transformers and torchvision resize them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import torch_impl
from numpy_ref import resize

from .. import budget
from ..both import TWINS, array, float64, normal, tensor
from ..test_resize import num_rows
from ._convert import fused
from ._import import original
from .agreement import Agreement, attention, scheme

pos_embed_rel = original("timm.layers.pos_embed_rel")
pos_embed = original("timm.layers.pos_embed")
timm_sam = original("timm.models.vision_transformer_sam")
beit = original("transformers.models.beit.modeling_beit")
sam = original("transformers.models.sam.modeling_sam")
mvit = original("torchvision.models.video.mvit")
interpolate = original("scipy.interpolate")

HEADS, WIDTH, DIM = 3, 12, 4
SQUARE = [((7, 7), (12, 12)), ((7, 7), (4, 4)), ((3, 3), (8, 5)), ((12, 12), (7, 16))]


def close(ref, other):
    row = budget.float64("", array(ref), array(other))
    return row.ok


def assert_same(twin, theirs, shape, resizing, *arguments):
    """Compare outputs and gradients; theirs: a function of a tensor; resizing: the name of ours."""
    x = torch.tensor(normal(*shape), requires_grad=True)
    out = theirs(x)
    dout = torch.tensor(normal(*out.shape, seed=2))
    (dx,) = torch.autograd.grad(out, x, dout)
    if twin is torch_impl:
        ours = getattr(twin, resizing)(x, *arguments)
        (ours_dx,) = torch.autograd.grad(ours, x, dout)
    else:
        ours = getattr(twin, resizing)(x.detach().numpy(), *arguments)
        ours_dx = getattr(resize, f"{resizing}_backward")(dout.numpy(), *arguments)
    assert close(out, ours)
    assert close(dx, ours_dx)


def in_pytorch(table, old, new, mode="bicubic"):
    """Interpolate a flat table of known sizes with PyTorch."""
    sizes = [[2 * n - 1 for n in window] for window in (old, new)]
    planes = table.T.reshape(1, -1, *sizes[0])
    planes = F.interpolate(planes, sizes[1], mode=mode, align_corners=False)
    return planes.flatten(2)[0].T


@TWINS
@pytest.mark.parametrize(("old", "new"), SQUARE)
@pytest.mark.parametrize("prefix", [0, 1])
def test_timms_bicubic(twin, old, new, prefix):
    """timm's resize_rel_pos_bias_table_simple, which is Swin's own code, from a square window."""
    shape = num_rows(new, prefix), HEADS

    def theirs(table):
        return pos_embed_rel.resize_rel_pos_bias_table_simple(table, new, shape)

    rows = num_rows(old, prefix), HEADS
    assert_same(twin, theirs, rows, "resize_table", old, new, "bicubic", prefix)


@TWINS
def test_timms_bicubic_does_not_know_an_oblong_window(twin):
    """It takes the root of the number of rows. So it reads (1, 5), which has 9, as (2, 2)."""
    table, (old, new) = normal(9, HEADS), ((1, 5), (2, 7))
    theirs = pos_embed_rel.resize_rel_pos_bias_table_simple(torch.tensor(table), new, (39, HEADS))
    ours = array(twin.resize_table(tensor(twin, table), old, new))
    assert not close(theirs, ours)
    assert close(in_pytorch(torch.tensor(table), (2, 2), new), theirs)
    assert close(in_pytorch(torch.tensor(table), old, new), ours)


@TWINS
def test_timms_planes(twin):
    """MaxViT's table: a plane per head, of key − query."""

    def theirs(planes):
        return pos_embed_rel.resize_rel_pos_bias_table_simple(planes, (6, 9), (HEADS, 11, 17))

    planes = normal(HEADS, 5, 7)
    ours = twin.RelativePositionBias(HEADS, (3, 4), "maxvit", dtype=float64(twin))
    ours.load_state_dict({"relative_position_bias_table": tensor(twin, planes)})
    state = ours.resized((6, 9), "bicubic").state["relative_position_bias_table"]
    assert close(theirs(torch.tensor(planes)), state)


class Interp2d:
    """SciPy's interp2d(x, y, z, kind="cubic"), which it no longer has: the spline behind it, FITPACK's.

    calls: [(x, y, values)] of all calls, in float64; timm rounds the values to float32.
    """

    calls = None

    def __init__(self, x, y, z, kind):
        assert kind == "cubic"
        self.x, self.y = np.array(x, float), np.array(y, float)
        self.spline = interpolate.RectBivariateSpline(self.y, self.x, z, kx=3, ky=3, s=0)

    def __call__(self, dx, dy):
        values = self.spline(np.asarray(dy), np.asarray(dx))
        self.calls.append((self.x, self.y, values))
        return values


@pytest.fixture
def with_scipy(monkeypatch):
    """Let timm use SciPy, as BEiT's own code does; return the list of calls."""
    monkeypatch.setattr(pos_embed_rel, "_USE_SCIPY", True)
    monkeypatch.setattr(interpolate, "interp2d", Interp2d)
    monkeypatch.setattr(Interp2d, "calls", [])
    return Interp2d.calls


@TWINS
@pytest.mark.parametrize(
    ("old", "new"),
    [((7, 7), (12, 12)), ((14, 14), (24, 24)), ((7, 7), (4, 4)), ((3, 5), (8, 6)), ((4, 7), (16, 3))],
)
def test_beits_geometric(twin, with_scipy, old, new):
    """timm's resize_rel_pos_bias_table with SciPy, which is BEiT's own code; every size changes."""
    table = normal(num_rows(old, 1), HEADS).astype(np.float32)
    shape = num_rows(new, 1), HEADS
    theirs = pos_embed_rel.resize_rel_pos_bias_table(torch.tensor(table), new, shape, old)
    for place, axis in enumerate((1, 0)):
        sites = twin.resize.geometric_sites(2 * old[axis] - 1, 2 * new[axis] - 1)
        assert close(with_scipy[0][place], sites)
    ours = array(twin.resize_table(tensor(twin, table.astype(float)), old, new, "geometric", 1))
    assert close(np.stack([values.ravel() for _, _, values in with_scipy], axis=1), ours[:-3])
    np.testing.assert_array_equal(array(theirs)[-3:], table[-3:])


@TWINS
def test_beits_geometric_changes_an_axis_that_keeps_its_size(twin, with_scipy):
    """Its ratio is at least 1.01, so the table of a window that does not change would be distorted.

    timm calls it if any axis changes. Here an axis that keeps its size is copied.
    """
    old, new = (7, 7), (7, 12)
    table = normal(169, 1)
    pos_embed_rel.resize_rel_pos_bias_table(torch.tensor(table), new, (13 * 23, 1), old)
    middle = with_scipy[0][2][:, 11]  # of Δx = 0
    ours = array(twin.resize_table(tensor(twin, table), old, new, "geometric")).reshape(13, 23)
    kept = table.reshape(13, 13)[:, 6]
    assert close(kept, ours[:, 11])
    assert not close(kept, middle)


@pytest.fixture
def in_float64(monkeypatch):
    """Let timm compute in float64 where it asks for float32."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@TWINS
def test_timm_without_scipy_is_linear_between_the_same_sites(twin, in_float64):
    """So it is another method than BEiT's. Of ours only the sites are compared."""
    old, new = (7, 7), (12, 12)
    table = normal(169, 1)
    theirs = pos_embed_rel.resize_rel_pos_bias_table(torch.tensor(table), new, (529, 1), old)
    sites, places = array(twin.resize.geometric_sites(13, 23)), np.arange(-11.0, 12)
    along = np.stack([np.interp(places, sites, row) for row in table.reshape(13, 13)])
    expected = np.stack([np.interp(places, sites, column) for column in along.T], axis=1)
    assert close(theirs.reshape(23, 23), expected)


@TWINS
def test_timms_levit_loses_the_offset_zero(twin):
    """It stretches the quarter of absolute offsets, borders to borders: offset 0 gets less weight.

    Ours stretches the whole table about its middle, so that offset 0 keeps its value.
    """
    table = normal(9, 1)
    theirs = pos_embed_rel.resize_rel_pos_bias_table_levit(torch.tensor(table), (25, 1))
    levit = twin.RelativePositionBias(1, (3, 3), "levit", dtype=float64(twin))
    levit.load_state_dict({"relative_position_bias_table": tensor(twin, table)})
    ours = array(levit.resized((5, 5)).state["relative_position_bias_table"])
    assert close(table[0], ours[0])
    assert not close(table[0], theirs[0])


@TWINS
@pytest.mark.parametrize("old", [3, 9])
@pytest.mark.parametrize("new", [4, 14])
def test_linear_tables_of_an_axis(twin, old, new):
    """SAM's of timm and of transformers, torchvision's MViT: rows of query − key at equal sizes."""
    rows = 2 * new - 1

    def timms(table):  # (q, k, d), from which each offset is read once
        pairs = timm_sam.get_rel_pos(new, new, table)
        return torch.cat([pairs[0].flip(0)[:-1], pairs[:, 0]])

    def transformers(table):
        pairs = sam.SamVisionAttention.get_rel_pos(None, new, new, table)
        return torch.cat([pairs[0].flip(0)[:-1], pairs[:, 0]])

    def torchvisions(table):
        return mvit._interpolate(table, rows)

    for theirs in (timms, transformers, torchvisions):
        assert_same(twin, theirs, (2 * old - 1, DIM), "resize_table", old, new, "linear")


def resized_axes(p, old, new):
    return {
        f"rel_pos.rel_pos_{axis}": torch_impl.resize_table(p[f"rel_pos_{axis}"], a, b, "linear")
        for axis, a, b in zip("hw", old, new, strict=True)
    }


def test_sam_at_another_size(agree):
    """SAM's layer resizes its tables when it is called for another grid; ours is built for that."""
    old, new = (3, 5), (4, 7)
    layer = timm_sam.Attention(WIDTH, HEADS, use_rel_pos=True, input_size=old)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", new),
            layer,
            lambda x: layer(x.unflatten(1, new)).flatten(1, 2),
            lambda p: {**fused(p), **resized_axes(p, old, new)},
            {"x": (2, 28, WIDTH)},
        )
    )


def test_beit_at_another_size(agree):
    """transformers' BEiT resizes its table linearly when it is called for another window."""
    config = beit.BeitConfig(hidden_size=WIDTH, num_attention_heads=HEADS, image_size=12, patch_size=4)
    layer = beit.BeitRelativePositionBias(config)
    old, new = (3, 3), (4, 6)
    name = "relative_position_bias_table"
    agree(
        Agreement(
            scheme(HEADS, "2d", new, num_prefix_tokens=1),
            layer,
            lambda: layer(new)[0],
            lambda p: {name: torch_impl.resize_table(p[name], old, new, "linear", 1)},
            index=layer.generate_relative_position_index(new),
        )
    )


@TWINS
def test_beits_embedding(twin):
    """transformers' interpolate_pos_encoding, the same in ViT and DINO."""
    config = beit.BeitConfig(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        image_size=12,
        patch_size=4,
        use_absolute_position_embeddings=True,
    )
    layer = beit.BeitEmbeddings(config)

    def theirs(x):
        del layer.position_embeddings
        layer.position_embeddings = x
        return layer.interpolate_pos_encoding(torch.zeros(1, 29, WIDTH), 16, 28)

    assert_same(twin, theirs, (1, 10, WIDTH), "resize_pos_embed", (3, 3), (4, 7), "bicubic", 1)


@TWINS
@pytest.mark.parametrize("new", [(3, 9), (2, 3)])
def test_timms_embedding(twin, new, in_float64):
    """timm's resample_abs_pos_embed. Its default, antialias=True, is another cubic.

    With antialias=True PyTorch takes a = −0.5 and, to shrink, a wider kernel.
    """
    x = normal(1, 1 + 10, WIDTH)

    def theirs(antialias):
        given = torch.tensor(x)
        return pos_embed.resample_abs_pos_embed(given, list(new), [2, 5], antialias=antialias).numpy()

    ours = array(twin.resize_pos_embed(tensor(twin, x), (2, 5), new, num_prefix_tokens=1))
    assert close(theirs(False), ours)
    assert not close(theirs(True), ours)
