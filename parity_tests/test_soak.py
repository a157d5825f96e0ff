"""A short run of soak.py, with another seed on simulated processors; `make soak` is a long one."""

import pytest
from llvmlite import binding

from . import soak

WITHOUT_AVX2 = not binding.get_host_cpu_features().get("avx2")


@pytest.mark.slow
@pytest.mark.skipif(WITHOUT_AVX2, reason="only an x86 processor with AVX2 can simulate the others")
def test_no_processor_and_no_seed_is_over_the_budget():
    names, dtypes = [*soak.processors()], ["float32", "bfloat16", "float16"]
    results = soak.soak([1], names, dtypes, every=12)
    assert results.keys() == set(names)
    for name, rows in results.items():
        assert {row[2] for row in rows} == set(dtypes)
        assert any(row[3].endswith("-sdpa") for row in rows)
        over = [row for row in rows if row[0] > 1]
        assert not over, f"{name}: {over[:3]}"


def test_the_table_says_what_is_over():
    rows = [[0.5, 1, "float32", "case", "out", "numpy"], [2.0, 1, "float32", "case", "dx", "torch"]]
    _, line = soak.table({"this": rows})
    assert line[:3] == ("this", "2", "1") and line[-1] == "2.000"


def test_a_process_that_fails_is_an_error(monkeypatch):
    monkeypatch.setattr(soak, "processors", lambda: {"this": {"SEED": "no number"}})
    with pytest.raises(RuntimeError, match="'this' ended with 1"):
        soak.soak([1], ["this"], ["float32"], every=10_000)
