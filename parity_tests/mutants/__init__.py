"""Mutation testing: plant small bugs one at a time and see whether a test turns red.

    python -m parity_tests.mutants --number 500 --seed 0

`plant.py` lists the possible bugs, `calls.py` finds which test calls which function, `trial.py` runs the
tests of one mutant. `explained.toml` says why no test can notice a survivor.

Why not mutmut or cosmic-ray: mutmut (3.8.1) leaves out every function with a decorator, so all jitted
loops and all properties, and wraps the others in a way that numba cannot compile. cosmic-ray (8.7.0)
runs the same test command in a new interpreter for every mutant. That takes minutes, while the tests
that call the changed function take seconds. Neither draws at random.
"""
