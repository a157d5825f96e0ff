"""What the tests are worth: small bugs, planted one at a time, and whether a test turns red.

    python -m parity_tests.mutants --number 500 --seed 0

`plant.py` finds the places and what can be wrong there, `calls.py` which test calls which function,
`trial.py` runs the tests of one mutant, `explained.toml` says of a survivor why no test can see it.

Why not mutmut or cosmic-ray: mutmut (3.8.1) leaves out every function with a decorator, which are
all jitted loops and all properties, and reaches the others through a wrapper of its own, which numba
cannot compile. cosmic-ray (8.7.0) runs one and the same test command in a new interpreter for every
mutant: minutes, where the tests that call the changed function need seconds. Neither draws at random.
"""
