"""The format of help texts of command lines."""

from __future__ import annotations

import argparse


class CommandHelp(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option, unless it has none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_default = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_default else action.help
