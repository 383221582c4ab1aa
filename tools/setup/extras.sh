#!/usr/bin/env bash
# Install the requirements of an extra of pyproject.toml into .venv: what is missing of them, without
# building the package and its kernels again. Usage: extras.sh NAME [MODULE...]
# A second run looks for the MODULEs, in case somebody has removed them by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup/stamp.sh
extra=$1
shift

current=$(fingerprint "$extra")
if stamp_is_current "$extra" "$current" && installed "$@"; then
    exit 0
fi

requirements() {
    "$VENV_PYTHON" -c 'import sys
try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
print(*project["optional-dependencies"][sys.argv[1]], *project["dependencies"], sep="\n")' "$extra"
}

say "Installing the extra '$extra'"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
requirements >"$list"
"$VENV_PYTHON" -m pip install --disable-pip-version-check --requirement "$list"
write_stamp "$extra" "$current"
