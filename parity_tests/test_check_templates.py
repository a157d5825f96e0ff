"""The templates of `rpb-check`: each is a right kernel, in every dtype that it takes."""

import sys

import pytest

from . import interpreter, report
from .check.__main__ import main
from .check.kernel import Kernel
from .check.kinds import KINDS
from .check.templates import FOLDER, template
from .given_attention import assert_within_budget

WITH_TEMPLATES = [
    (path.parent.name, path.name.removesuffix("_kernel.py"))
    for path in sorted(FOLDER.glob("*/*_kernel.py"))
]
# what the templates do without, besides denormal numbers
WITHOUT = {"index": "q_size and k_size, which", "resize": "method, which"}
ARRAYS = {"c": "numpy", "triton": "torch"}  # of other templates the library has the same name
WITHOUT_2001_SAMPLES = ("--case", "[!o]*")  # Triton's interpreter takes a minute for them


def test_each_kind_has_templates():
    kinds = {kind for kind, library in WITH_TEMPLATES if library == "numpy"}
    assert kinds == KINDS.keys()
    assert {kind for kind, library in WITH_TEMPLATES if library == "torch"} == kinds - {"index"}


def skip_where_it_cannot_run(library, kind):
    """Skip without the library; else return further arguments, which leave out what takes long."""
    if library != "c":
        pytest.importorskip("mlx.core" if library == "mlx" else library)
    if library != "triton" or report.device() == "cuda":
        return ()
    if interpreter.fails():
        pytest.skip(interpreter.REASON)
    return WITHOUT_2001_SAMPLES if kind == "attention" else ()


@pytest.mark.parametrize(("kind", "library"), WITH_TEMPLATES)
def test_a_template_is_right_as_it_is(library, kind, tmp_path, capsys):
    assert main(["--template", library, "--kind", kind]) == 0
    path = tmp_path / "mykernel.py"
    path.write_text(capsys.readouterr().out)
    compile(path.read_text(), path, "exec")
    assert max(map(len, path.read_text().splitlines())) <= 100
    few = skip_where_it_cannot_run(library, kind)
    assert main([f"{path}:{kind}", "--kind", kind, "--quick", *few]) == 0
    shown = capsys.readouterr().out
    assert f"{ARRAYS.get(library, library)} arrays " in " ".join(shown.split())
    assert ", 0 wrong" in shown
    left_out = [line for line in shown.splitlines() if line.startswith("not checked")]
    assert all("denormal" in line or WITHOUT.get(kind, "?") in line for line in left_out)


@pytest.mark.parametrize("kind", ["windows", "reverse", "shift", "resize"])
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_the_templates_of_windows_and_tables_are_right_in_every_dtype(kind, dtype):
    for library in ("numpy", "torch"):
        if library == "torch":
            pytest.importorskip("torch")
        target = f"{FOLDER / kind / library}_kernel.py:{kind}"
        assert main([target, "--kind", kind, "--dtype", dtype]) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_template_of_pytorch_sums_dtable_in_float32(dtype, tmp_path):
    """Autograd of table[index] adds in the table's dtype, which thousands of pairs per row show."""
    pytest.importorskip("torch")
    path = tmp_path / "mykernel.py"
    path.write_text(template("attention", "torch"))
    assert main([f"{path}:attention", "--case", "past_tiles", "--dtype", dtype]) == 0


@pytest.mark.parametrize("kind", ["attention", "bias"])
def test_in_tritons_interpreter_the_templates_are_right_in_bfloat16(kind, capsys):
    """By itself it cuts bfloat16 off and takes denormal numbers for others; and it has no bfloat16."""
    few = skip_where_it_cannot_run("triton", kind)
    path = FOLDER / kind / "triton_kernel.py"
    more = ("--quick", *few, "--dtype", "bfloat16", "--verbose")
    assert main([f"{path}:{kind}", "--kind", kind, *more]) == 0
    shown = capsys.readouterr().out
    assert "denormal" in shown
    assert "no bfloat16" not in shown


def in_triton():
    """Return the template's attention; PyTorch's random numbers start anew."""
    skip_where_it_cannot_run("triton", "attention")
    sys.modules["torch"].manual_seed(0)
    return Kernel(f"{FOLDER}/attention/triton_kernel.py:attention").forward


def assert_template_is_right(function, **inputs):
    """Judge the output and the gradients of the floats by the definition."""
    import torch

    inputs = {name: x.to(report.device()) for name, x in inputs.items()}
    leaves = {name: inputs[name].requires_grad_() for name in inputs if name not in ("index", "mask")}
    out = function(**inputs)
    dout = torch.randn(out.shape).to(out)
    grads = torch.autograd.grad(out, leaves.values(), dout)
    found = {"out": out} | {f"d{name}": grad for name, grad in zip(leaves, grads, strict=True)}
    assert_within_budget(found, inputs, dout)


def test_the_template_in_triton_takes_any_strides():
    torch, function = pytest.importorskip("torch"), in_triton()
    table, index = torch.randn(2, 9).T, torch.randint(9, (5, 5)).T
    qkv = {name: torch.randn(3, 5, 2, 8).transpose(1, 2) for name in "qkv"}
    assert_template_is_right(function, **qkv, table=table, index=index)


def test_the_template_in_triton_takes_a_row_of_the_smallest_number():
    """As a mask for all keys it leaves weights of 1/Lk: no score is smaller, besides −inf."""
    torch, function = pytest.importorskip("torch"), in_triton()
    mask = torch.zeros(5, 70)
    mask[1], mask[2, :66] = torch.finfo(torch.float32).min, -torch.inf
    q, k, v = (torch.randn(1, 2, n, 8) for n in (5, 70, 70))
    assert_template_is_right(function, q=q, k=k, v=v, mask=mask)


def test_the_template_in_triton_starts_on_65536_windows():
    """CUDA's limits: 2³¹ − 1 programs along the first axis of a grid, 65,535 along the others."""
    torch, function = pytest.importorskip("torch"), in_triton()
    q = torch.empty(65536, 4, 49, 32, device="meta")
    (first, second), _ = function.__globals__["_grid_and_sizes"](q, q, q, 49)
    assert first < 2**31
    assert second < 2**16


PAIR, PAIR_TRANSPOSED = "tl.load(index + pair,", "tl.load(index + j[None, :] * q_len + i[:, None],"
BUGS = {
    "backward takes log₂ Σ exp(s − m) for the natural": ("tl.log(total)", "tl.log2(total)"),
    "backward divides by exp(m) alone: log Σ exp(s − m) is": ("tl.log(total)", "0.0 * total"),
    "queries and keys are swapped in the index (not in dtable)": (PAIR, PAIR_TRANSPOSED),
    "dk lacks the scale": ("scale * k_sums", "k_sums"),
    "first column (in dtable only)": ("row * heads + n % heads, ds", "row * heads, ds"),
    "every head uses the first head's mask": ("(mask + n *", "(mask + n // heads * heads *"),
}


@pytest.mark.parametrize("words", BUGS)
def test_bugs_planted_in_the_template_in_triton_are_named(words, tmp_path, capsys):
    """In a case with fewer queries than keys and prefix tokens, or one with a mask per head."""
    skip_where_it_cannot_run("triton", "attention")
    (right, wrong), text = BUGS[words], template("attention", "triton")
    assert right in text
    path = tmp_path / "mykernel.py"
    path.write_text(text.replace(right, wrong))
    case = "mask_per_head" if "mask" in words else "more_keys_prefix"
    assert main([f"{path}:attention", "--case", case]) == 1
    shown = capsys.readouterr().out
    assert "this is what a known bug gives:" in shown
    assert words in shown


def test_what_tritons_interpreter_cannot_do_is_noted_with_an_error(tmp_path, capsys):
    is_interpreted = skip_where_it_cannot_run("triton", "attention") != ()
    text = template("attention", "triton")
    cast = "return values.to(tl.float32)"
    assert cast in text
    path = tmp_path / "mykernel.py"
    path.write_text(text.replace(cast, "return values"))
    target = f"{path}:attention"
    assert main([target, "--case", "plain", "--dtype", "bfloat16"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert ("note: Triton's interpreter has no bfloat16" in shown) == is_interpreted
    assert main([target, "--case", "plain", "--dtype", "float32"]) == 0
    assert "no bfloat16" not in capsys.readouterr().out


@pytest.mark.skipif(report.device() == "cuda", reason="Triton would be imported to be interpreted")
@pytest.mark.parametrize("word", ["1", "true", "ON"])
@pytest.mark.parametrize("fails", [True, False])
def test_an_interpreter_that_cannot_run_is_noted_with_an_error(
    word, fails, monkeypatch, tmp_path, capsys
):
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", word)
    path = tmp_path / "mykernel.py"
    path.write_text("import torch\n\ndef bias(table, index):\n    raise TypeError('size 1')\n")
    monkeypatch.setattr(interpreter, "fails", lambda: fails)
    assert main([f"{path}:bias", "--kind", "bias", "--quick"]) == 1
    assert ("needs NumPy older than 2.4" in " ".join(capsys.readouterr().out.split())) == fails


def test_a_template_that_is_not_there_lists_those_that_are():
    with pytest.raises(ValueError, match="of the kind none for torch, only none"):
        template("none", "torch")
