# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the plugin's own files lie, and which georoads the user has named."""

from __future__ import annotations

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication

PROGRAM = "GEOROADS_PROGRAM"


def home() -> Path:
    """The folder of the plugin's own files, in the user's profile; it is made."""
    folder = Path(QgsApplication.qgisSettingsDirPath()) / "georoads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def stated_program() -> str:
    """The program that the options of Processing name; "" where they name none."""
    return str(ProcessingConfig.getSetting(PROGRAM) or "").strip()


def add_options(provider: str, icon) -> None:
    """Show the provider's options among those of Processing."""
    ProcessingConfig.settingIcons[provider] = icon
    ProcessingConfig.addSetting(
        Setting(provider, PROGRAM, "Program georoads, where it is not the plugin's own", "", Setting.FILE)
    )
    ProcessingConfig.readSettings()


def remove_options() -> None:
    """Take the options away."""
    ProcessingConfig.removeSetting(PROGRAM)
