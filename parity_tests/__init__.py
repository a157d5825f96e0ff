"""The comparison of both twins: the table of cases, the tolerance, and all tests of the twins."""
