"""The comparison itself: each planted error is reported, in the tensor in which it is planted."""

import json

import numpy as np
import pytest
import torch

import numpy_ref.kernels
import numpy_ref.nn
import numpy_ref.position._table
from numpy_ref.ops.attention import AttentionGrads

from . import ahead, budget, exact, report, verdict
from .cases import CASES
from .compare import compare
from .errors import Measures
from .yardstick import Yardstick

BY_ID = {case.id: case for case in CASES}
ATTENTION = BY_ID["op-attention-table"]
SCHEME = BY_ID["scheme-2d-oblong"]
MODEL = BY_ID["vit-2d-class_token"]


def red(case, dtype="float64"):
    """Return the names of tensors over budget; all must be the NumPy twin's, which has the error."""
    over = [row for row in compare(case, dtype) if not row.ok]
    assert {row.side for row in over} <= {"numpy"}
    return {row.tensor for row in over}


def plant(monkeypatch, op, change):
    """Replace numpy_ref.kernels.<op> by one whose result is changed by `change`."""
    original = getattr(numpy_ref.kernels, op)
    monkeypatch.setattr(numpy_ref.kernels, op, lambda *a, **k: change(original(*a, **k)))


@pytest.mark.parametrize("case", [ATTENTION, SCHEME, MODEL], ids=lambda case: case.id)
def test_nothing_planted_is_green(case):
    assert not red(case)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_flipped_sign(monkeypatch, dtype):
    plant(monkeypatch, "attention_backward", lambda g: g._replace(dtable=-g.dtable))
    assert red(ATTENTION, dtype) == {"dtable"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_missing_factor(monkeypatch, dtype):
    plant(monkeypatch, "attention_backward", lambda g: g._replace(dq=g.dq * np.sqrt(8)))
    assert red(ATTENTION, dtype) == {"dq"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_gradient_of_many_slightly_off(monkeypatch, dtype):
    """One entry of the table's gradient is off by 1 in 10,000."""

    def change(dtable):
        dtable[0, 0] *= 1.0001
        return dtable

    plant(monkeypatch, "bias_backward", change)
    assert red(SCHEME, dtype) == {"grad.relative_position_bias_table"}


def test_rows_swapped_with_columns(monkeypatch):
    """The bias is transposed: key − query instead of query − key."""
    plant(monkeypatch, "bias_forward", lambda bias: bias.swapaxes(1, 2))
    assert red(SCHEME) == {"out"}


def test_index_off_by_one(monkeypatch):
    original = numpy_ref.position._table.TableBias.lookup

    def shifted(self, *sizes):
        table, index = original(self, *sizes)
        return table, (index + 1) % len(table)

    monkeypatch.setattr(numpy_ref.position._table.TableBias, "lookup", shifted)
    assert red(SCHEME) == {"out", "index", "grad.relative_position_bias_table"}


def test_gradient_never_added(monkeypatch):
    monkeypatch.setattr(numpy_ref.position.two_d.TwoD, "table_backward", lambda self, dtable: None)
    assert red(MODEL) == {f"grad.blocks.{n}.attn.rel_pos.relative_position_bias_table" for n in (0, 1)}


def test_gradient_left_out_of_the_result(monkeypatch):
    plant(monkeypatch, "attention_backward", lambda g: AttentionGrads(*g[:3], None, None))
    with pytest.raises(AssertionError, match="dtable"):
        compare(ATTENTION, "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(monkeypatch, value, dtype):
    def change(grads):
        grads.dv[0, 0, 0, 0] = value
        return grads

    plant(monkeypatch, "attention_backward", change)
    assert red(ATTENTION, dtype) == {"dv"}


def test_nan_is_red_even_where_the_truth_is_nan():
    ones, nan = np.ones((2, 2)), np.full((2, 2), np.nan)
    for truth in (ones, nan):
        assert not budget.float64("out", truth, nan).ok
        assert not budget.exact("out", truth, nan).ok
        assert not budget.within_rounding("out", yardstick_of(truth), nan).ok


def test_residual_gradient_forgotten(monkeypatch):
    """The MLP's backward returns zeros, so its branch has no gradient."""
    monkeypatch.setattr(numpy_ref.nn.Mlp, "backward", lambda self, dout: np.zeros_like(dout))
    assert {"dimages", "grad.blocks.0.mlp.fc1.weight"} <= red(MODEL)


def yardstick_of(truth, spread=1e-3):
    return Yardstick(truth, np.full(truth.shape, spread), Measures(2.0, 1.0, 1e-3))


def test_each_measure_has_its_limit():
    """Each measure (largest, typical, common) has the limit of three times the yardstick's."""
    truth = np.array([1.0, -1.0] * 50)
    cost = yardstick_of(truth)
    one, orthogonal = np.eye(1, 100)[0], np.array([1.0, 1.0] * 50)  # orthogonal to the truth
    for off, limit in ((one, 6e-3), (orthogonal, 3e-3), (truth, 3e-3)):
        below, above = (
            budget.within_rounding("out", cost, truth + part * limit * off) for part in (0.99, 1.01)
        )
        assert below.ok and not above.ok
        assert above.budget_share == pytest.approx(1.01)
    assert not budget.within_rounding("out", cost, truth[:99]).ok


def test_another_pattern_of_minus_infinity_is_red():
    masked = np.array([0.0, -np.inf])
    cost = yardstick_of(masked)
    assert budget.within_rounding("out", cost, masked).ok
    for other in ([0.0, -1e30], [-np.inf, 0.0], [-np.inf, -np.inf]):
        assert not budget.within_rounding("out", cost, np.array(other)).ok


def test_budgets_edges():
    big = np.full(3, 1000.0)
    assert budget.float64("out", big, big + 0.9e-7).ok
    assert not budget.float64("out", big, big + 1.2e-7).ok
    assert not budget.float64("out", np.zeros(3), np.full(3, 1.1e-10)).ok
    assert not budget.float64("out", np.zeros(3), np.zeros(4)).ok
    assert not budget.exact("index", np.arange(3), np.arange(3) + 1).ok
    masked = np.array([0.0, -np.inf])
    assert budget.float64("out", masked, masked).ok
    assert not budget.float64("out", masked, np.array([0.0, -1e30])).ok
    assert not budget.float64("out", masked, np.array([-np.inf, 0.0])).ok


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rounded_is_torchs_rounding(dtype):
    import torch

    x = np.random.default_rng(0).standard_normal(10_000) * 10
    expected = torch.tensor(x, dtype=torch.float32).to(getattr(torch, dtype)).double().numpy()
    if dtype == "float16":  # directly from float64, since through float32 it would be rounded twice
        expected = torch.tensor(x).to(torch.float16).double().numpy()
    np.testing.assert_array_equal(budget.rounded(x, dtype), expected)


def test_report_holds_every_tensor(tmp_path):
    results = {(SCHEME.id, "float64"): compare(SCHEME, "float64")}
    report.write(results, tmp_path)
    content = json.loads((tmp_path / "parity.json").read_text())
    assert {"device", "versions", "cases"} == content.keys()
    assert [row["tensor"] for row in content["cases"]] == [r.tensor for r in compare(SCHEME, "float64")]
    assert SCHEME.id in (tmp_path / "parity.md").read_text()
    failing = {(SCHEME.id, "float64"): [budget.Row("dx", np.nan, np.nan)]}
    assert "FAIL dx" in report.text_table(failing)
    report.write(failing, tmp_path)
    assert json.loads((tmp_path / "parity.json").read_text())["cases"][0]["ok"] is False


def test_device_is_insisted_on(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("DEVICE", "cuda")
    with pytest.raises(RuntimeError, match="no CUDA device"):
        report.device()
    monkeypatch.setenv("DEVICE", "tpu")
    with pytest.raises(ValueError, match="tpu"):
        report.device()


def test_truths_of_other_processes_are_the_same(monkeypatch):
    monkeypatch.setattr(ahead, "CASES", CASES[:2])
    with ahead.computed_ahead(["float64", "float16"], 1):
        assert verdict.AHEAD.keys() == {(c, d) for c in CASES[:2] for d in ("float64", "float16")}
        for case, dtype in list(verdict.AHEAD):
            found = verdict.truth_of.__wrapped__(case, dtype)
            assert (case, dtype) not in verdict.AHEAD
            truth, costs = verdict.truth_of.__wrapped__(case, dtype)
            assert found[0].keys() == truth.keys()
            for name, array in truth.items():
                np.testing.assert_array_equal(found[0][name], array)
            assert {n: c.cost for n, c in found[1].items()} == {n: c.cost for n, c in costs.items()}
    assert not verdict.AHEAD


def test_the_numpy_twin_can_be_left_out(monkeypatch):
    assert {row.side for row in compare(SCHEME, "float64")} == {"torch", "numpy"}
    monkeypatch.setenv("TWINS", "torch")
    assert {row.side for row in compare(SCHEME, "float64")} == {"torch"}


def test_products_are_exact_where_a_gpu_would_round_more():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    assert exact.settings()["float32_matmul_precision"] != "highest"
    exact.exact_products()
    found = exact.settings()
    assert found.pop("float32_matmul_precision") == "highest"
    assert not any(found.values()), found
