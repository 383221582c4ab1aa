#!/usr/bin/env bash
# Make .venv with torch and this package. Usage: PYTHON=python3 TORCH=torch==X environment.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup/stamp.sh
: "${PYTHON:=python3}" "${TORCH:?the release of torch to install; the Makefile sets it}"

current=$(fingerprint "$PYTHON" "$TORCH")
if stamp_is_current environment "$current" && installed torch open3d pointcontrast; then
    exit 0
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

has_pip() {
    "$VENV_PYTHON" -m pip --version >/dev/null 2>&1
}

make_venv() {
    # With .venv active, PYTHON is .venv's own: new environments come from the Python below it
    local base old
    base=$("$PYTHON" -c 'import sys; print(getattr(sys, "_base_executable", "") or sys.executable)')
    old=$(version_of "$VENV_PYTHON" || true)
    if [ -n "$old" ] && [ "$old" != "$(version_of "$base")" ]; then
        fail "$VENV holds Python $old and $PYTHON is $(version_of "$base"): remove $VENV (make clean)," \
            "or keep it with make PYTHON=$VENV_PYTHON"
    fi
    if [ -z "$old" ] || { ! has_pip && ! "$VENV_PYTHON" -m ensurepip >/dev/null 2>&1; }; then
        say "Making $VENV with Python $(version_of "$base")"
        "$base" -m venv --clear "$VENV"
    fi
}

# pip writes a package's RECORD anew, with INSTALLER in it, when all its files are there. One
# without it was cut short, yet pip would take it for installed: forget it, and it comes again.
forget_unfinished_packages() {
    local info
    for info in "$VENV"/lib/python*/site-packages/*.dist-info; do
        if [ -d "$info" ] && ! grep -qs '\.dist-info/INSTALLER' "$info/RECORD"; then
            echo "the installation of $(basename "$info" .dist-info) was interrupted; doing it again"
            rm -rf "$info"
        fi
    done
}

# Does .venv see a torch that this package and pip are content with, and does it work?
torch_works() {
    "$VENV_PYTHON" - "$(grep -o '"torch>=[^"]*"' pyproject.toml | tr -d '"')" 2>/dev/null <<'PYTHON'
import importlib.metadata, sys
from pip._vendor.packaging.requirements import Requirement
import torch

wanted = Requirement(sys.argv[1]).specifier
if not wanted.contains(importlib.metadata.version("torch"), prereleases=True):
    sys.exit(1)
print(f"torch {torch.__version__} from {torch.__file__} is kept")
PYTHON
}

install_torch() {
    local link
    link=$("$VENV_PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch_of_the_user.pth
    torch_works && return
    # A torch beside PYTHON (a CUDA build, say) is used where it lies: a path file puts its folder
    # last on .venv's path, where pip sees it too. It fits, for the Python is the same.
    rm -f "$link"
    "$PYTHON" -c 'import pathlib, torch; print(pathlib.Path(torch.__file__).parents[1])' \
        >"$link" 2>/dev/null && torch_works && return
    rm -f "$link"
    say "Installing $TORCH"
    # TORCH may carry options of pip, such as the index of a CPU or CUDA build
    # shellcheck disable=SC2086
    "$VENV_PYTHON" -m pip install $TORCH
}

# The proof of the whole: the imports that fail on an incomplete machine, and torch with NumPy
check_imports() {
    "$VENV_PYTHON" -I -c '
import numpy, open3d, torch, pointcontrast
torch.from_numpy(numpy.zeros(1)).numpy()' ||
        fail "the installation is not usable (the reason stands above); $VENV_PYTHON -m pointcontrast.doctor says more"
}

tools/setup/system_packages.sh runtime
make_venv
rm -rf "$STAMPS"
forget_unfinished_packages
"$VENV_PYTHON" -m pip install --quiet --upgrade pip
install_torch
say "Installing the package and what it needs"
"$VENV_PYTHON" -m pip install --editable .
check_imports
write_stamp environment "$current"
say "Ready: $VENV_PYTHON ($VENV_PYTHON -m pointcontrast.doctor says what works here)"
