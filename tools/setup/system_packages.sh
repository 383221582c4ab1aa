#!/usr/bin/env bash
# Check PYTHON, then find the system packages that are missing and install them, or print the one line that does.
# Usage: system_packages.sh GROUP...
#   runtime  what importing Open3D needs, and the venv module
#   build    what compiling MinkowskiEngine needs
# Each is looked for by what it provides (a library that loads, a header that compiles), so that a
# machine without apt, or a conda environment, passes where the thing itself is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup/stamp.sh
: "${PYTHON:=python3}"

# library=package, for every library that Open3D's wheel leaves to the system
readonly RUNTIME_LIBRARIES=(
    libusb-1.0.so.0=libusb-1.0-0
    libGL.so.1=libgl1
    libX11.so.6=libx11-6
    libgomp.so.1=libgomp1
)

check_python() {
    command -v "$PYTHON" >/dev/null ||
        fail "there is no $PYTHON on the PATH: install Python 3.10-3.13, or name one with" \
            "make PYTHON=/path/to/python3"
    local version minor
    version=$(python_version 2>/dev/null) || fail "$PYTHON does not run; name a Python with" \
        "make PYTHON=/path/to/python3"
    minor=${version#3.}
    if [ "$minor" = "$version" ] || [ "$minor" -lt 10 ] || [ "$minor" -gt 13 ]; then
        fail "$PYTHON is Python $version and 3.10-3.13 is needed: name one with" \
            "make PYTHON=/path/to/python3"
    fi
}

missing_runtime() {
    # Debian's python3 comes without ensurepip; the package is named after the version
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || echo "python$(python_version)-venv"
    if [ "$(uname -s)" = Linux ]; then
        "$PYTHON" - "${RUNTIME_LIBRARIES[@]}" <<'PYTHON'
import ctypes, sys

for entry in sys.argv[1:]:
    library, package = entry.split("=")
    try:
        ctypes.CDLL(library)
    except OSError:
        print(package)
PYTHON
    fi
}

missing_build() {
    if [ -n "${CXX:-}" ]; then
        command -v "${CXX%% *}" >/dev/null || fail "CXX=$CXX is not a program on the PATH"
    elif ! command -v c++ >/dev/null; then
        echo g++
    fi
    links_openblas || echo libopenblas-dev
    "$PYTHON" -c 'import os, sys, sysconfig
header = os.path.join(sysconfig.get_path("include"), "Python.h")
of_the_system = sys.base_prefix == "/usr"  # apt has no headers for any other Python
sys.exit(of_the_system and not os.path.exists(header))' || echo "python$(python_version)-dev"
}

links_openblas() {
    # The words of these variables are flags, as in a makefile (conda's compilers set them)
    # shellcheck disable=SC2086
    printf '#include <cblas.h>\nint main() { return cblas_ddot(0, nullptr, 1, nullptr, 1) != 0; }\n' |
        ${CXX:-c++} -x c++ ${CPPFLAGS:-} ${CXXFLAGS:-} - ${LDFLAGS:-} -lopenblas -o /dev/null \
            2>/dev/null
}

python_version() {
    "$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

install() {
    local line="sudo apt-get update && sudo apt-get install -y $*" as_root=()
    if ! command -v apt-get >/dev/null; then
        fail "missing: $*. These are Debian's package names and there is no apt-get here: install" \
            "what provides them with this system's package manager, or use environment.yml (conda)."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            fail "system packages are missing and installing them takes an administrator. Run this" \
                "line, then the same make command again:"$'\n\n'"    $line"
        fi
        as_root=(sudo -n)
    fi
    say "Installing system packages: $*"
    if ! "${as_root[@]}" apt-get update ||
        ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends "$@"; then
        fail "apt-get failed (its message stands above). When that is mended, run:"$'\n\n'"    $line"
    fi
}

check_python
missing=()
for group in "$@"; do
    found=$("missing_$group")
    # shellcheck disable=SC2206  # one package a word
    missing+=($found)
done
if [ ${#missing[@]} -gt 0 ]; then
    install "${missing[@]}"
fi
