"""Three attention kernels with known bugs: in NumPy, in PyTorch and in C.

They are written as a kernel's author would write them, without the definition that judges them and
without each other. A name says which bugs a kernel has, and works wherever a kernel is named:

    rpb-check parity_tests.planted.c_kernel:sign_flipped
    rpb-check parity_tests.planted.torch_kernel:dk_without_scale+heads_reversed

`right` has none. Each bug is a line or two at the place where one makes it.

A kernel that computes the rows of the table itself is built for its model's windows. These kernels take
the window from the shapes (see `windows`) and do not read the index then; they read any other index.
"""
