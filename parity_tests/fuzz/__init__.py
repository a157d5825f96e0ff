"""Random calls of both twins under guard pages and malloc checks; README.md says what is asserted."""
