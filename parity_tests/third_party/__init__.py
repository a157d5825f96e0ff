"""Both twins against what others wrote: transformers, x-transformers, timm, torchvision."""
