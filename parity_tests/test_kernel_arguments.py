"""Bad arguments raise the same errors in plain NumPy and in the kernels."""

import numpy as np
import pytest

import numpy_ref.kernels as kernels
import numpy_ref.ops as ops


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("bad", [-1, 5])
@pytest.mark.parametrize("length", [3, 200], ids=["one_call", "all_threads"])
def test_an_index_outside_the_table_is_an_error(module, bad, length):
    table, index = np.ones((5, 2)), np.zeros((length, length), int)
    index[1, 2] = bad
    entries = rf"index has entries in \[{min(bad, 0)}, {max(bad, 0)}\], expected \[0, 5\)"
    with pytest.raises(ValueError, match=entries):
        module.bias_forward(table, index)
    with pytest.raises(ValueError, match=entries):
        module.bias_backward(np.ones((2, length, length)), index, 5)
    q = np.ones((1, 2, length, 4))
    with pytest.raises(ValueError, match=entries):
        module.attention_forward(q, q, q, table, index)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
def test_wrong_arguments_are_named(module):
    table, index = np.ones((5, 2)), np.zeros((3, 3), int)
    with pytest.raises(TypeError, match="table has dtype float16"):
        module.bias_forward(table.astype(np.float16), index)
    with pytest.raises(TypeError, match="index has dtype float64"):
        module.bias_forward(table, index.astype(float))
    with pytest.raises(ValueError, match=r"dbias has shape \(2, 3, 4\)"):
        module.bias_backward(np.ones((2, 3, 4)), index, 5)
    q = np.ones((1, 2, 3, 4))
    with pytest.raises(ValueError, match="table and index belong together"):
        module.attention_forward(q, q, q, table=table)
    with pytest.raises(ValueError, match="mask has shape"):
        module.attention_forward(q, q, q, mask=np.ones((4, 3)))
    with pytest.raises(TypeError, match="share one dtype"):
        module.attention_forward(q, q, q.astype(np.float32))
