"""SAM (arXiv 2304.02643): its image encoder alone, as timm has it, or whole; here: the tables only.

Sizes: D channels of the encoder, C of an image, P × Q a patch, A × B the grid, K of a head, M hidden
features of the MLP, O channels of the neck, N classes of G features. Of a layer: a, b rows of its
tables. The other capitals are of the decoder.
"""

from ..rules import Arguments, Family, Place
from ..tensors import numbers

ENCODER = ("timm", "transformers", "facebook", "here")
WHOLE = ("transformers", "facebook", "here")


def encoder(formats, here, classifier=False):
    """Return the rules of the encoder; here: the prefix that its names have here.

    classifier: whether a classifier of timm's may lack the absolute embedding and the neck.
    """
    neck = {"group": "neck", "optional": classifier}
    own = {"transformers": "vision_encoder.", "facebook": "image_encoder."}
    root = Place(formats, here, **own)
    block = Place(
        formats,
        here + "blocks.{i}.",
        transformers="vision_encoder.layers.{i}.",
        facebook="image_encoder.blocks.{i}.",
    )
    tables = (("a K", "rel_pos_h"), ("b K", "rel_pos_w"))
    return (
        *root.rule("1 A B D", "pos_embed", optional=classifier),
        *root.rule("D C P Q", "patch_embed.proj.*", transformers="patch_embed.projection.*"),
        *block.rule("D", "norm1.*", transformers="layer_norm1.*"),
        *(
            rule
            for shape, name in tables
            for rule in block.rule(
                shape,
                f"attn.rel_pos.{name}",
                **{form: f"attn.{name}" for form in formats if form != "here"},
                tells=True,
            )
        ),
        *block.rule("3D D", "attn.qkv.*"),
        *block.rule("D D", "attn.proj.*"),
        *block.rule("D", "norm2.*", transformers="layer_norm2.*"),
        *block.rule("M D", "mlp.fc1.*", transformers="mlp.lin1.*", facebook="mlp.lin1.*"),
        *block.rule("D M", "mlp.fc2.*", transformers="mlp.lin2.*", facebook="mlp.lin2.*"),
        *root.rule("O D 1 1", "neck.0.weight", transformers="neck.conv1.weight", **neck),
        *root.rule("O", "neck.1.*", transformers="neck.layer_norm1.*", **neck),
        *root.rule("O O 3 3", "neck.2.weight", transformers="neck.conv2.weight", **neck),
        *root.rule("O", "neck.3.*", transformers="neck.layer_norm2.*", **neck),
    )


def head():
    """Return the rules of timm's classifier, which may have a norm in place of the neck."""
    root = Place(ENCODER, "")
    others = {"transformers": None, "facebook": None, "optional": True}
    return (*root.rule("D", "neck.*", **others), *root.rule("N G", "head.fc.*", **others))


def prompt_encoder():
    """Return the rules of the embedding of points, boxes and masks."""
    root, masks = Place(WHOLE, "prompt_encoder."), Place(WHOLE, "prompt_encoder.mask_downscaling.")
    masks.prefixes["transformers"] = "prompt_encoder.mask_embed."
    shared = Place(WHOLE, "prompt_encoder.", transformers="")
    return (
        *shared.rule(
            "2 E",
            "pe_layer.positional_encoding_gaussian_matrix",
            transformers="shared_image_embedding.positional_embedding",
        ),
        *root.rule("1 O", "point_embeddings.{l}.weight", transformers="point_embed.{l}.weight"),
        *root.rule("1 O", "not_a_point_embed.weight"),
        *root.rule("1 O", "no_mask_embed.weight"),
        *masks.rule("F 1 2 2", "0.*", transformers="conv1.*"),
        *masks.rule("F", "1.*", transformers="layer_norm1.*"),
        *masks.rule("G F 2 2", "3.*", transformers="conv2.*"),
        *masks.rule("G", "4.*", transformers="layer_norm2.*"),
        *masks.rule("O G 1 1", "6.*", transformers="conv3.*"),
    )


def attention(place, name, inner):
    """Return the rules of an attention of the decoder; inner: its width inside."""
    return (
        *(rule for part in "qkv" for rule in place.rule(f"{inner} O", f"{name}.{part}_proj.*")),
        *place.rule(f"O {inner}", f"{name}.out_proj.*"),
    )


def mlp(place, name, last):
    """Return the rules of three linear layers; last: their outputs."""
    return (
        *place.rule("O O", f"{name}.layers.0.*", transformers=f"{name}.proj_in.*"),
        *place.rule("O O", f"{name}.layers.1.*", transformers=f"{name}.layers.0.*"),
        *place.rule(f"{last} O", f"{name}.layers.2.*", transformers=f"{name}.proj_out.*"),
    )


def mask_decoder():
    root = Place(WHOLE, "mask_decoder.")
    transformer = Place(WHOLE, "mask_decoder.transformer.")
    layer = Place(WHOLE, "mask_decoder.transformer.layers.{k}.")
    return (
        *root.rule("1 O", "iou_token.weight"),
        *root.rule("S O", "mask_tokens.weight"),
        *attention(layer, "self_attn", "O"),
        *attention(layer, "cross_attn_token_to_image", "H"),
        *attention(layer, "cross_attn_image_to_token", "H"),
        *(
            rule
            for n in "1234"
            for rule in layer.rule("O", f"norm{n}.*", transformers=f"layer_norm{n}.*")
        ),
        *layer.rule("L O", "mlp.lin1.*"),
        *layer.rule("O L", "mlp.lin2.*"),
        *attention(transformer, "final_attn_token_to_image", "H"),
        *transformer.rule("O", "norm_final_attn.*", transformers="layer_norm_final_attn.*"),
        *root.rule("O U 2 2", "output_upscaling.0.weight", transformers="upscale_conv1.weight"),
        *root.rule("U", "output_upscaling.0.bias", transformers="upscale_conv1.bias"),
        *root.rule("U", "output_upscaling.1.*", transformers="upscale_layer_norm.*"),
        *root.rule("U V 2 2", "output_upscaling.3.weight", transformers="upscale_conv2.weight"),
        *root.rule("V", "output_upscaling.3.bias", transformers="upscale_conv2.bias"),
        *mlp(root, "output_hypernetworks_mlps.{m}", "V"),
        *mlp(root, "iou_prediction_head", "S"),
    )


def arguments(model, options):
    """Return the matrix that transformers has two names for; older files have it twice."""
    matrix = next(
        tensor
        for (number, _), tensor in model.tensors.items()
        if "pe_layer" in model.family.rules[number].stored["here"].glob
    )
    return Arguments(None, {"matrix": matrix})


def matrix(arguments, at):
    return numbers(arguments.values["matrix"])


TWICE = Place(WHOLE, "").buffer(
    "2 E", matrix, transformers="prompt_encoder.shared_embedding.positional_embedding"
)

FAMILIES = (
    Family(
        "sam",
        WHOLE,
        (*encoder(WHOLE, "image_encoder."), *prompt_encoder(), *mask_decoder()),
        (TWICE,),
        arguments,
    ),
    Family("sam_encoder", ENCODER, (*encoder(ENCODER, "", classifier=True), *head())),
)
