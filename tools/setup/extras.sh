#!/usr/bin/env bash
# Add an extra of pyproject.toml to .venv. Usage: extras.sh NAME [MODULE...]
# MODULEs are looked for on a second run, in case somebody has taken them out by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup/stamp.sh
extra=$1
shift

current=$(fingerprint "$extra")
if stamp_is_current "$extra" "$current" && installed "$@"; then
    exit 0
fi
say "Installing the extra '$extra'"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$VENV_PYTHON" -m pip install --editable ".[$extra]"
write_stamp "$extra" "$current"
