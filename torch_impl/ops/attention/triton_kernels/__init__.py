"""The kernels of the triton implementation: a file per pass, and what they share in `tiles`.

They are imported only when Triton is there. Triton decides at import whether they are compiled or
interpreted (TRITON_INTERPRET=1).
"""
