# SPDX-License-Identifier: GPL-2.0-or-later
"""The provider: georoads in the toolbox of Processing."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithm import CommandAlgorithm
from .offers import OFFERS
from .places import add_options, remove_options
from .setup_algorithm import SetupAlgorithm

WRITTEN = ["gpkg", "geojson", "fgb"]
"""Suffixes of layers that georoads writes and QGIS reads; the first keeps styles, nodes and provenance."""


class Provider(QgsProcessingProvider):
    """All algorithms of georoads."""

    def id(self):
        return "georoads"

    def name(self):
        return "georoads"

    def longName(self):
        return "georoads: road networks from scenes"

    def icon(self):
        return QIcon(str(Path(__file__).with_name("icon.svg")))

    def load(self):
        add_options(self.name(), self.icon())
        return super().load()

    def unload(self):
        remove_options()

    def loadAlgorithms(self):
        self.addAlgorithm(SetupAlgorithm())
        for offer in OFFERS:
            self.addAlgorithm(CommandAlgorithm(offer))

    def supportedOutputVectorLayerExtensions(self):
        return WRITTEN

    def defaultVectorFileExtension(self, hasGeometry=True):
        return WRITTEN[0]

    def supportsNonFileBasedOutput(self):
        return False
