# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin: it hands a provider to Processing, with and without a window."""

from __future__ import annotations

from qgis.core import QgsApplication

from .provider import Provider


class Plugin:
    """What QGIS loads; ``initProcessing`` is all that ``qgis_process`` calls."""

    def __init__(self):
        self._provider = None

    def initProcessing(self):
        """Add the algorithms to Processing."""
        self._provider = Provider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self):
        """As without a window: everything is in the toolbox."""
        self.initProcessing()

    def unload(self):
        """Take the algorithms away."""
        QgsApplication.processingRegistry().removeProvider(self._provider)
