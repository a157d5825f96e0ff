"""The arguments of a VisionTransformer that its tensors tell, and BEiT's index."""

from .. import windows
from ..rules import Arguments

EPS = 1e-6  # of the norms in timm and in the original BEiT
CLASS_TOKEN_ROWS = 3  # of a table: to the patches, from them, to itself


def beit(model, options):
    """Return the Arguments of BEiT: the window of a table is the grid of patches."""
    values, assumed = _common(model, options)
    if not values["class_token"]:
        raise ValueError("no cls_token, expected BEiT's")
    return Arguments("VisionTransformer", values | {"k_bias": False}, assumed)


def relpos(model, options):
    """Return the Arguments of a ViT-relpos. No name tells its norms' place, but its layer scale does."""
    values, assumed = _common(model, options)
    if not model.has("ls1.gamma"):
        assumed += ("res_post_norm true, as there is no layer scale",)
    return Arguments(
        "VisionTransformer", values | {"res_post_norm": not model.has("ls1.gamma")}, assumed
    )


def _common(model, options):
    sizes = model.sizes
    shared, own = model.has("shared_rel_pos"), model.has("attn.rel_pos")
    if shared and own:
        raise ValueError("has a shared bias and one per layer, expected one or the other here")
    norms = [name for name in ("norm.weight", "fc_norm.weight") if model.has(name)]
    if len(norms) != 1 or not sizes["N"]:
        raise ValueError(
            f"has {' and '.join(norms) or 'no norm'} and {'a' if sizes['N'] else 'no'} head, expected "
            "norm or fc_norm, and a head, in a whole model"
        )
    token, patch = model.has("cls_token"), (sizes["P"], sizes["Q"])
    img_size = _img_size(sizes, options, patch, CLASS_TOKEN_ROWS if token else 0)
    average = not token or norms == ["fc_norm.weight"]
    values = {
        "img_size": list(img_size),
        "patch_size": list(patch),
        "in_chans": sizes["C"],
        "num_classes": sizes["N"],
        "global_pool": "avg" if average else "token",
        "embed_dim": sizes["D"],
        "depth": len(model.depths),
        "num_heads": sizes["H"],
        "mlp_ratio": model.ratio(sizes["M"], sizes["D"]),
        "qkv_bias": model.has("attn.qkv.bias") or model.has("attn.q_bias"),
        "position": "shared_relative" if shared else "relative",
        "rpb_kwargs": _rpb_kwargs(model),
        "init_values": 1.0 if model.has("ls1.gamma") else None,
        "norm_eps": options["norm_eps"] or EPS,
        "class_token": token,
        "fc_norm": norms == ["fc_norm.weight"],
        "use_abs_pos_emb": model.has("pos_embed"),
    }
    pool = (f"global_pool {values['global_pool']}",) if token else ()
    return values, pool if options["norm_eps"] else (*pool, f"norm_eps {EPS:g}")


def _img_size(sizes, options, patch, prefix_rows):
    """Return the size of the images: the window of the table in pixels, or the one given."""
    given = options["img_size"]
    window = tuple(length // p for length, p in zip(given, patch, strict=True)) if given else None
    window = options["window_size"] or window
    if window is None and sizes["R"] is None:
        raise ValueError("nothing in the file tells the size of the images: give img_size")
    if sizes["R"] is not None:
        window = windows.of_rows("the table", sizes["R"], prefix_rows, window)
    return given or tuple(p * length for p, length in zip(patch, window, strict=True))


def _rpb_kwargs(model):
    if model.sizes["K"] is None:
        return {"bias_type": "2d"}
    last = ("attn.rel_pos.mlp.fc2.bias", "shared_rel_pos.mlp.fc2.bias")
    mode = "cr" if any(map(model.has, last)) else "swin"
    return {"bias_type": "rel_pos_mlp", "hidden_features": model.sizes["K"], "mode": mode}


def beit_index(arguments, at):
    values = arguments.values
    if values["position"] != ("relative" if at else "shared_relative"):
        return None
    window = [length // p for length, p in zip(values["img_size"], values["patch_size"], strict=True)]
    return windows.index_with_class_token(tuple(window))
