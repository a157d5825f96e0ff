"""What the kernels are built from: vectors, products, an index's rows, threads, memory and the compiler.

Nothing in this folder knows an op. README.md beside it describes the floors and the life of a job.
"""
