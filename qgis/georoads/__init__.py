# SPDX-License-Identifier: GPL-2.0-or-later
"""georoads in QGIS: road networks from scenes, as algorithms of Processing.

Nothing of QGIS is imported here, so that what needs no QGIS is tested without it.
"""

from __future__ import annotations


def classFactory(iface):
    """The plugin, as QGIS asks for it; ``iface`` is None where there is no window."""
    from .plugin import Plugin

    return Plugin()
