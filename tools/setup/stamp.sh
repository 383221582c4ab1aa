# Sourced by the scripts beside it: stamps say what .venv already holds, so that a second run costs
# nothing. A stamp is written only when its step has ended well; an interrupted step is done again.
# shellcheck shell=bash

readonly VENV=.venv
readonly VENV_PYTHON=$VENV/bin/python
readonly STAMPS=$VENV/stamps
readonly RECIPES=(pyproject.toml setup.py pointcontrast/compiled/csrc/* pointcontrast/sparse/csrc/* tools/setup/*.sh)

# A number that changes with everything an installation depends on: the recipes, the place (an
# editable install holds the absolute path) and the words given.
fingerprint() {
    { cat "${RECIPES[@]}" && printf '%s\n' "$PWD" "$@"; } | cksum
}

# stamp_is_current NAME FINGERPRINT
stamp_is_current() {
    [ -x "$VENV_PYTHON" ] && [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]
}

# write_stamp NAME FINGERPRINT
write_stamp() {
    mkdir -p "$STAMPS"
    printf '%s\n' "$2" >"$STAMPS/$1"
}

# installed MODULE...: are they all there? Looks them up without importing them, in milliseconds,
# and in .venv alone (-I): the working folder has a pointcontrast too.
installed() {
    "$VENV_PYTHON" -I -c 'import importlib.util, sys
sys.exit(not all(importlib.util.find_spec(name) for name in sys.argv[1:]))' "$@" 2>/dev/null
}

say() {
    printf '\n==> %s\n' "$*"
}

fail() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}
