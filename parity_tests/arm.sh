#!/usr/bin/env bash
# Run the kernels' tests on an emulated ARM64 processor: parity_tests/arm.sh [arguments of pytest]
#
# Without arguments it compares the kernels with plain NumPy on every case of an op. Emulated code cannot
# start another emulated process, so tests that start processes need a real ARM64 machine.
#
# Needs qemu-user-static and debootstrap (Debian, Ubuntu: apt install qemu-user-static debootstrap). It
# downloads a Debian for ARM64 and wheels (about 250 MB) and keeps them in FOLDER (default: .arm).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${FOLDER:-.arm}
python=${PYTHON:-python3}
for tool in qemu-aarch64-static debootstrap; do
  command -v "$tool" >/dev/null || { echo "$tool was not found; apt install qemu-user-static debootstrap" >&2; exit 1; }
done

if [ ! -e "$folder/ready" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/wheels" "$folder/site"
  # The packages are only unpacked, not installed, so this works without root and binfmt.
  debootstrap --foreign --arch=arm64 --variant=minbase --include=python3,libpython3-stdlib bookworm "$folder/root"
  for package in "$folder"/root/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
  "$python" -m pip download --quiet --dest "$folder/wheels" --only-binary=:all: --python-version 3.11 \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    -r requirements/base.txt $(grep -E '^(pytest|hypothesis)' requirements/dev.txt)
  for wheel in "$folder"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$folder/site"; done
  touch "$folder/ready"
fi

folder=$(realpath "$folder")
export PYTHONHOME=$folder/root/usr PYTHONPATH=$folder/site:$PWD NUMBA_CACHE_DIR=$folder/cache NUMBA_NUM_THREADS=2
[ $# -gt 0 ] || set -- parity_tests/test_kernels.py -k "match_the_definition and op-"
exec qemu-aarch64-static -L "$folder/root" "$folder/root/usr/bin/python3.11" -B -m pytest -q \
  -p no:cacheprovider --noconftest "$@"
