"""The libraries' BEiT and ViT-relpos with the arguments of ours; each is imported when it is built."""

from ._swin_models import one

KEPT = (
    "img_size",
    "patch_size",
    "in_chans",
    "num_classes",
    "global_pool",
    "embed_dim",
    "depth",
    "num_heads",
    "mlp_ratio",
    "qkv_bias",
    "init_values",
)


def here(values):
    from torch_impl import VisionTransformer

    return VisionTransformer(**values, dtype="float64")


def timm_beit(values):
    from timm.models.beit import Beit

    return Beit(
        **{name: values[name] for name in KEPT},
        use_abs_pos_emb=values["use_abs_pos_emb"],
        use_rel_pos_bias=values["position"] == "relative",
        use_shared_rel_pos_bias=values["position"] == "shared_relative",
        use_fc_norm=values["fc_norm"],
    )


def timm_relpos(values):
    from timm.models import vision_transformer_relpos as library

    bias = values["rpb_kwargs"]
    mlp = "mlp_swin" if bias.get("mode") == "swin" else "mlp"
    post = values["res_post_norm"]
    return library.VisionTransformerRelPos(
        **{name: values[name] for name in KEPT},
        class_token=values["class_token"],
        fc_norm=values["fc_norm"],
        rel_pos_type="bias" if bias["bias_type"] == "2d" else mlp,
        rel_pos_dim=bias.get("hidden_features"),
        shared_rel_pos=values["position"] == "shared_relative",
        block_fn=library.ResPostRelPosBlock if post else library.RelPosBlock,
    )


def transformers_beit(values):
    import transformers as library

    return library.BeitForImageClassification(library.BeitConfig(**_config(values)))


def transformers_data2vec(values):
    import transformers as library

    config = library.Data2VecVisionConfig(**_config(values))
    return library.Data2VecVisionForImageClassification(config)


def _config(values):
    return {
        "image_size": values["img_size"],
        "patch_size": one("patch_size", values["patch_size"], "transformers"),
        "num_channels": values["in_chans"],
        "num_labels": values["num_classes"],
        "hidden_size": values["embed_dim"],
        "num_hidden_layers": values["depth"],
        "num_attention_heads": values["num_heads"],
        "intermediate_size": int(values["embed_dim"] * values["mlp_ratio"]),
        "layer_norm_eps": values["norm_eps"],
        "layer_scale_init_value": values["init_values"] or 0.0,
        "use_mean_pooling": values["fc_norm"],
        "use_absolute_position_embeddings": values["use_abs_pos_emb"],
        "use_relative_position_bias": values["position"] == "relative",
        "use_shared_relative_position_bias": values["position"] == "shared_relative",
    }


BEIT = {"here": here, "timm": timm_beit, "transformers": transformers_beit}
DATA2VEC = {"here": here, "transformers": transformers_data2vec}
RELPOS = {"here": here, "timm": timm_relpos}
