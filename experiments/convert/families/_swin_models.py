"""The libraries' Swin Transformers with the arguments of ours; each is imported when it is built."""

KEPT = ("in_chans", "num_classes", "embed_dim", "depths", "num_heads", "mlp_ratio", "qkv_bias")


def here(values):
    from torch_impl import SwinTransformer

    return SwinTransformer(**values, dtype="float64")


def timm(values):
    from timm.models import swin_transformer, swin_transformer_v2

    version = values["version"]
    kept = {name: values[name] for name in (*KEPT, "img_size", "window_size", "always_partition")}
    kept["patch_size"] = one("patch_size", values["patch_size"], "timm")
    if version == 2:
        kept["pretrained_window_sizes"] = [of if of else 0 for of in values["pretrained_window_sizes"]]
        return swin_transformer_v2.SwinTransformerV2(**kept)
    return swin_transformer.SwinTransformer(**kept)


def torchvision(values):
    """torchvision has no pretrained_window_sizes, but loads the coordinates that they make."""
    from torchvision.models import swin_transformer as library

    parts = {"block": library.SwinTransformerBlockV2, "downsample_layer": library.PatchMergingV2}
    kept = ("patch_size", "embed_dim", "depths", "num_heads", "window_size", "mlp_ratio", "num_classes")
    return library.SwinTransformer(
        **{name: values[name] for name in kept}, **(parts if values["version"] == 2 else {})
    )


def transformers(values):
    import transformers as library

    kind, of_config = {
        1: (library.SwinForImageClassification, library.SwinConfig),
        2: (library.Swinv2ForImageClassification, library.Swinv2Config),
    }[values["version"]]
    config = {
        "image_size": values["img_size"],
        "num_channels": values["in_chans"],
        "num_labels": values["num_classes"],
        "layer_norm_eps": values["norm_eps"],
        "patch_size": one("patch_size", values["patch_size"], "transformers"),
        "window_size": one("window_size", values["window_size"], "transformers"),
        **{name: values[name] for name in ("embed_dim", "depths", "num_heads", "mlp_ratio", "qkv_bias")},
    }
    if values["version"] == 2:
        config["pretrained_window_sizes"] = [
            one("pretrained_window_sizes", of, "transformers") if of else 0
            for of in values["pretrained_window_sizes"]
        ]
    return kind(of_config(**config))


def one(name, size, library):
    """Return the length of a square."""
    if size[0] != size[1]:
        raise ValueError(f"{library}'s {name} is one number, here it is {size[0]}x{size[1]}")
    return size[0]


MODELS = {"here": here, "timm": timm, "torchvision": torchvision, "transformers": transformers}
