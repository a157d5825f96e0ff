"""Compile the Triton kernels for GPUs that are not there: registers, spills, shared memory, and the
time that bytes and FLOPs allow. `python -m benchmarks.triton_ahead` writes docs/results/triton."""
