#!/usr/bin/env bash
# Build MinkowskiEngine and install it into .venv; the wheel is kept and used again.
# Usage: PYTHON=python3 TORCH=torch==X [MINKOWSKI=auto|cpu_only|force_cuda] minkowski.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup/stamp.sh
: "${PYTHON:=python3}" "${MINKOWSKI:=auto}"

RELEASE=$(grep -o 'MinkowskiEngine==[0-9.]*' pyproject.toml)
export PIP_DISABLE_PIP_VERSION_CHECK=1

# What the compiled engine depends on besides the recipes: the very torch it was built against
torch_now() {
    "$VENV_PYTHON" -c 'import importlib.util, pathlib
spec = importlib.util.find_spec("torch")
print((pathlib.Path(spec.origin).parent / "version.py").read_text())' 2>/dev/null
}

if [ -x "$VENV_PYTHON" ]; then
    current=$(fingerprint "$MINKOWSKI" "$(torch_now)")
    if stamp_is_current minkowski "$current" && installed MinkowskiEngine; then
        exit 0
    fi
fi

# works KIND: does it import, and has it the CUDA part if it should? Its Python files name
# collections.Sequence, which left with Python 3.10, hence the loan.
works() {
    "$VENV_PYTHON" - "$1" 2>/dev/null <<'PYTHON'
import collections, collections.abc, sys, warnings

warnings.simplefilter("ignore")
collections.Sequence = collections.abc.Sequence
import MinkowskiEngine

sys.exit(sys.argv[1] == "force_cuda" and not MinkowskiEngine.is_cuda_available())
PYTHON
}

choose_kind() {
    case $MINKOWSKI in
        cpu_only | force_cuda) echo "$MINKOWSKI" ;;
        auto)
            "$VENV_PYTHON" -c 'import torch
from torch.utils.cpp_extension import CUDA_HOME
print("force_cuda" if torch.cuda.is_available() and CUDA_HOME else "cpu_only")'
            ;;
        *) fail "MINKOWSKI=$MINKOWSKI: choose auto, cpu_only or force_cuda" ;;
    esac
}

# wheel_folder KIND: a wheel fits one engine release, torch build, Python and machine
wheel_folder() {
    "$VENV_PYTHON" - "${XDG_CACHE_HOME:-$HOME/.cache}/pointcontrast/wheels" "$RELEASE" "$1" <<'PYTHON'
import sys, sysconfig, torch

folder, release, kind = sys.argv[1:]
tag = f"cp{sys.version_info[0]}{sys.version_info[1]}-{sysconfig.get_platform()}"
print(f"{folder}/{release.replace('==', '-')}-torch-{torch.__version__}-{tag}-{kind}")
PYTHON
}

# install_wheel KIND: from the kept wheel, if there is one and it works
install_wheel() {
    local wheels=("$(wheel_folder "$1")"/*.whl)
    [ -e "${wheels[0]}" ] || return 1
    echo "using ${wheels[0]}"
    "$VENV_PYTHON" -m pip install --quiet --no-deps --no-index --force-reinstall "${wheels[0]}" &&
        works "$1"
}

# One compiler a core, but no more than memory allows: each takes about 2 GB
num_jobs() {
    local cores memory
    cores=$(getconf _NPROCESSORS_ONLN)
    memory=$(awk '/^MemAvailable/ { print int($2 / 2000000) }' /proc/meminfo 2>/dev/null || true)
    memory=${memory:-$cores}
    local jobs=$((cores < memory ? cores : memory))
    echo $((jobs > 1 ? jobs : 1))
}

# build_wheel KIND: in a folder of its own that takes its place only when whole
build_wheel() {
    local folder partial jobs
    folder=$(wheel_folder "$1")
    jobs=${MAX_JOBS:-$(num_jobs)}
    mkdir -p "$(dirname "$folder")" || return
    partial=$(mktemp -d "$(dirname "$folder")/.building.XXXXXX") || return
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$partial'" EXIT
    say "Building $RELEASE ($1) from source: about 5 minutes on 2 cores; now with $jobs at a time"
    "$VENV_PYTHON" -m pip install --quiet setuptools wheel ninja numpy
    # No cache of pip's: it would hand out a wheel built against another torch.
    # torch looks for ninja on the PATH.
    PATH="$PWD/$VENV/bin:$PATH" MAX_JOBS=$jobs "$VENV_PYTHON" -m pip wheel "$RELEASE" \
        --no-cache-dir --no-build-isolation --no-deps --wheel-dir "$partial" \
        "--config-settings=--global-option=--blas=openblas" \
        "--config-settings=--global-option=--$1" || return
    rm -rf "$folder"
    chmod 755 "$partial"
    mv "$partial" "$folder"
}

# obtain KIND: working in .venv already, or from a kept wheel, or built
obtain() {
    works "$1" || install_wheel "$1" || { build_wheel "$1" && install_wheel "$1"; }
}

tools/setup/system_packages.sh runtime build
tools/setup/environment.sh
kind=$(choose_kind)
if ! obtain "$kind"; then
    # The CUDA part was written for CUDA 10 and 11 and may not compile with a newer one
    if [ "$kind" = cpu_only ] || [ "$MINKOWSKI" != auto ]; then
        fail "$RELEASE could not be built (the reason stands above)"
    fi
    say "The CUDA build of $RELEASE failed; building for the CPU. On CUDA the native engine serves."
    obtain cpu_only || fail "$RELEASE could not be built (the reason stands above)"
fi
write_stamp minkowski "$(fingerprint "$MINKOWSKI" "$(torch_now)")"
say "$RELEASE works in $VENV"
