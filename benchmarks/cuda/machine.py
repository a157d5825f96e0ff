"""What the GPU is, and which versions drive it: python -m benchmarks.cuda.machine prints it as JSON."""

import json
import platform
import subprocess
import sys
from importlib import metadata

import torch

from parity_tests.exact import exact_products, settings

PACKAGES = ("torch", "triton", "numpy", "numba", "timm", "torchvision", "transformers")
REHEARSAL = "no GPU: a rehearsal on the CPU, whose numbers mean nothing"


def describe(device):
    """Return {name: what it is}; device: "cuda" or "cpu"."""
    exact_products()
    found = {"device": torch.cuda.get_device_name() if device == "cuda" else REHEARSAL}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found["memory"] = f"{properties.total_memory / 2**30:.0f} GiB"
        found["compute capability"] = f"{properties.major}.{properties.minor}"
        found["driver"] = _driver()
        found["CUDA of PyTorch"] = str(torch.version.cuda)
        found["cuDNN"] = str(torch.backends.cudnn.version())
    found["python"] = platform.python_version()
    found |= {name: version for name in PACKAGES if (version := _version(name))}
    return found | {name: str(value) for name, value in settings().items()}


def _driver():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError):
        return "not known: nvidia-smi does not answer"


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    if sys.argv[1] == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device")
    print(json.dumps(describe(sys.argv[1])))
