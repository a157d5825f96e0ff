"""Index functions: which row of a scheme's table each pair of tokens reads.

A function of this kind computes the integer index of one scheme (`--scheme`, "2d" unless given):

    index(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, **options)

window_size: tuple of ints, tokens along each axis of the window that the table is made for.
num_prefix_tokens: P, tokens before the grid (class token, registers); sizes never count them.
q_size, k_size: tuples of ints, the grids of the queries and of the keys. Both are given or neither.
    Without them the keys' grid is the window, and the queries' too, except in "levit" and "halo".
q_offset: position of the first query among the keys; only for one axis without prefix tokens.
options: those of the scheme that the index depends on, by their names in `RelativePositionBias`.

It returns integers (P + Lq, P + Lk), Lq = Π q_size and Lk = Π k_size; the schemes "decomposed" and "halo"
and iRPE's method "cross" read two rows for each pair and return (2, P + Lq, P + Lk). Tokens are counted
row by row, prefix tokens first. `reference` has the formulas, a class for each family of schemes.

All arguments are passed by name. An argument that a case does not need is left out, unless the function
has no default for it. Cases with an argument that the function does not take are not asked, and the
verdict says so. A function for a scheme whose table does not depend on the window ("t5", "shaw", "irpe",
the schemes of `Offsets`, "decomposed") may take q_size and k_size without window_size.
"""
