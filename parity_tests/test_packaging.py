"""The files of sdist and wheel, and the wheel installed in an environment with only numpy and numba."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import numpy_ref
import torch_impl

from .process import LONG, ROOT
from .test_docs import blocks, needed_by

PACKAGES = ("numpy_ref", "parity_tests", "torch_impl")
NEEDED = ("numpy", "numba", "llvmlite")  # by numpy_ref; llvmlite by numba


def output(*command, cwd, **environment):
    """Run a command without PYTHONPATH and return its output; raise CalledProcessError if it fails."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
    command = [str(part) for part in command]
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, timeout=LONG
    )
    done.check_returncode()
    return done.stdout


@pytest.fixture(scope="module")
def sources():
    """Return the names of all files that git tracks or would add."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git clone, to know which files belong to the project")
    listed = output("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def sdist(sources, tmp_path_factory):
    """Build the sdist of a copy, as building leaves files behind; the copy has caches, as after use."""
    copy = tmp_path_factory.mktemp("copy")
    for name in sources:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for package in PACKAGES:
        (copy / package / "__pycache__").mkdir()
        (copy / package / "__pycache__" / "kernel.nbc").touch()
    return build("sdist", copy, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Build the wheel from the unpacked sdist."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (root,) = unpacked.iterdir()
    return build("wheel", root, tmp_path_factory.mktemp("dist"))


def build(kind, root, target):
    code = f"from setuptools.build_meta import build_{kind}; build_{kind}({str(target)!r})"
    output(sys.executable, "-c", code, cwd=root)
    (path,) = target.iterdir()
    return path


def test_the_sdist_is_the_checkout(sources, sdist):
    with tarfile.open(sdist) as archive:
        found = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    made = {name for name in found if name.startswith("rpb_reference.egg-info/")}
    assert found - made - {"PKG-INFO", "setup.cfg"} == sources


def test_the_wheel_has_the_packages_whole_and_nothing_else(sources, wheel):
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    about = {name for name in found if name.partition("/")[0].endswith(".dist-info")}
    assert found - about == {name for name in sources if name.partition("/")[0] in PACKAGES}
    assert {Path(name).name for name in about} >= {"METADATA", "LICENSE"}


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """Return (Python, site-packages) of an environment with only numpy, numba and the wheel."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(output(python, "-c", where, cwd=home).strip())
    for name in NEEDED:
        borrow(metadata.distribution(name), site)
    pip = (sys.executable, "-m", "pip", "--python", python, "--isolated", "--disable-pip-version-check")
    output(*pip, "install", "--quiet", "--no-index", "--no-compile", wheel, cwd=home)
    return python, site


def borrow(distribution, site):
    """Link an installed distribution into `site`, so that pip finds it without a registry."""
    for name in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
        (site / name).symlink_to(distribution.locate_file(name))


ABOUT = """
import sys
from importlib.metadata import metadata, version
import numpy_ref, parity_tests.verdict
assert version("rpb-reference") == numpy_ref.__version__
extras = ["torch", "train", "tensorboard", "augment", "dev"]
assert metadata("rpb-reference").get_all("Provides-Extra") == extras
print(numpy_ref.__file__, {"torch", "torch_impl", "experiments"} & set(sys.modules))
"""


@pytest.mark.slow
def test_numpy_ref_and_the_cases_need_numpy_and_numba_only(bare, tmp_path):
    """The wheel's requirements are met without a registry, and the README's snippets run."""
    python, site = bare
    assert output(python, "-c", ABOUT, cwd=tmp_path) == f"{site / 'numpy_ref' / '__init__.py'} set()\n"
    alone = [block for block in blocks(ROOT / "README.md") if not needed_by(block[0])]
    assert alone
    for code, expected in alone:
        assert output(python, "-c", code, cwd=tmp_path).split() == expected.split()
    kernel = "parity_tests.kernels_to_check:attention"
    for command in ((python.with_name("rpb-check"),), (python, "-m", "parity_tests.check")):
        assert ", 0 wrong" in output(*command, kernel, "--case", "*e*", "--quick", cwd=tmp_path)
    template = output(python.with_name("rpb-check"), "--template", "numpy", cwd=tmp_path)
    assert template.startswith('"""Attention with relative position bias in NumPy')


THREE_LINES = """
import sys
before = {"numpy", "numba"} & set(sys.modules)
import pytest

@pytest.mark.rpb("parity_tests.kernels_to_check:attention", pattern="*table*")
def test_attention(rpb_case):
    rpb_case.check()

def test_no_import_before_it_is_asked():
    assert not before
"""


@pytest.mark.slow
def test_an_installed_pytest_finds_the_plugin(bare, tmp_path):
    python, site = bare
    for name in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        borrow(metadata.distribution(name), site)
    (tmp_path / "test_kernel.py").write_text(THREE_LINES)
    shown = output(python, "-m", "pytest", "--strict-markers", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "2 passed" in shown


CALL = """
import numpy as np
from numpy_ref import kernels
assert kernels.squared_norm(np.array([3.0, 4.0])) == 25
"""


@pytest.mark.slow
def test_a_folder_of_packages_that_cannot_be_written_to_is_left_alone(bare, tmp_path):
    """Each cache folder is replaced by a file, so that not even root can write; the user's is used."""
    python, site = bare
    package = site / "numpy_ref"
    for cache in list(package.rglob("__pycache__")):
        shutil.rmtree(cache)
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()
    before = sorted(package.rglob("*"))
    output(python, "-c", CALL, cwd=tmp_path, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert sorted(package.rglob("*")) == before
    assert list(tmp_path.rglob("*.nbc"))


def test_the_version_is_one(wheel):
    """CHANGELOG.md begins with the version or "Unreleased"; CITATION.cff cites the last release."""
    version = wheel.name.split("-")[1]
    assert (numpy_ref.__version__, torch_impl.__version__) == (version, version)
    headings = re.findall(
        r"^## \[(.+)\](?: - (.+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert headings[0][0] == ("Unreleased" if ".dev" in version else version)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = (cited["version"], cited["date-released"].isoformat())
    assert released == next(heading for heading in headings if heading[0] != "Unreleased")
