"""What is special about a case, in a line."""

ABOUT = {
    "attention-plain": "no bias",
    "attention-table": "a table and an index drawn at random",
    "attention-scale": "scale 1 in place of 1/√d",
    "attention-cross": "fewer queries than keys; v narrower than k",
    "attention-equal_logits": "scale 0: all logits are 0, dq and dk too",
    "attention-masked_row": "a query whose keys are all masked with −100, which changes nothing",
    "attention-large_logits": "scale 1000: exp overflows unless the maximum is subtracted",
    "attention-one_token": "one query, one key: the softmax is 1",
    "attention-one_row": "all pairs read the same row of the table; the other rows have no gradient",
    "attention-logits_of_1e4": "logits beyond ±10,000",
    "attention-denormal": "k and v below the smallest normal number of the dtype",
    "attention-odd_heads": "5 heads, 11 channels in q and k, 13 in v",
    "attention-shifted_2x3": "shifted windows of 2×3: element b of the batch uses mask[b mod 4]",
    "attention-registers_2x3": "a window of 2×3 with 4 prefix tokens, 12 channels",
    "attention-more_keys_prefix": "a grid of 1×2 queries, 2×4 keys, and a prefix token in both",
    "bias-square": "9 tokens, an index drawn at random",
    "bias-oblong": "5 queries, 11 keys",
    "bias-one_token": "one pair",
    "bias-one_row": "all pairs read row 2; rows 0 and 1 have no gradient",
    "bias-denormal": "numbers below the smallest normal one of the dtype",
    "bias-beit_3x5": "BEiT's index: a window of 3×5 and a class token",
    "windows-plain": "no shift, no padding",
    "windows-shifted": "an int for window and shift",
    "windows-padded": "padded below and on the right; the shift differs along both axes",
    "windows-one_window": "the window is larger than the map, so nothing is shifted",
    "reverse-plain": "no shift, no padding",
    "reverse-shifted": "the shift differs along both axes",
    "reverse-padded_residual": "tokens of padding are left out; a residual is added",
    "resize-bicubic": "3×5 to 5×8",
    "resize-linear": "3×5 to 5×8",
    "resize-geometric": "3×5 to 5×8, BEiT's way",
    "resize-swin_7_to_12_prefix": "7×7 to 12×12; the three rows of prefix tokens are copied",
    "resize-smaller_3d": "three axes: one longer, one the same, one shorter",
    "resize-sequence": "one axis, shorter",
    "cosine-six_heads": "fewer queries than keys",
    "cosine-beyond_clamp": "logit_scale above ln 100: clamped, without gradient",
    "score_lookup-heads": "an embedding per head",
    "score_lookup-shared": "one embedding for all heads",
    "value_lookup-heads": "an embedding per head",
    "value_lookup-shared": "one embedding for all heads",
}


def about(row):
    """Return what the manifest says of a Chosen case."""
    if row.kind == "index":
        given = [f"{name} {value}" for name, value in row.case.options.items()]
        return f"{row.scheme}: {', '.join(given)}"
    return ABOUT.get(row.id, row.case.variant.replace("_", " "))
