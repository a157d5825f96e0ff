"""The benchmarks for a GPU: attention with a table, alone and in a Swin block."""
