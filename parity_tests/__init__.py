"""Both twins side by side: the table of cases, the tolerance, and the tests that hold them together."""
