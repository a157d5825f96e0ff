"""Both twins against other packages: transformers, x-transformers, timm, torchvision."""
