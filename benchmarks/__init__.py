"""Benchmarks of both twins: each result is checked, then all are timed in turns in one process."""
