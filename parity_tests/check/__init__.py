"""Judge a user's kernel by the table of cases, and name the bug: `python -m parity_tests.check`."""
