"""The comparison of the schemes: its rows, its results on disk and the page made from them."""
