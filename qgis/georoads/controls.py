# SPDX-License-Identifier: GPL-2.0-or-later
"""The controls of a dialog: what Processing is told of each kind, and how its value goes to georoads."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
    QgsProviderRegistry,
)

READ = ["gpkg", "geojson", "fgb", "shp"]
"""Suffixes of layers that georoads reads as they are; QGIS writes the others to a GeoPackage first."""
MORE, EXTENT, SETTINGS, PURPOSE, RESTART = "MORE_SCENES", "EXTENT", "SETTINGS", "PURPOSE", "RESTART"


class Control:
    """A parameter of a command, as Processing has it.

    ``make`` gives what Processing is told; ``read`` gives values by the names that the command has for them.
    """

    def __init__(self, parameter, offer):
        self.parameter, self.offer = parameter, offer
        self.name = parameter.name
        self.key = parameter.name.upper()
        self.label = offer.label(parameter.name)
        self.optional = not parameter.required
        self.meaning = parameter.help

    def make(self):
        """The definitions of its parameters in Processing."""
        raise NotImplementedError

    def read(self, algorithm, parameters, context, feedback):
        """Values of the command's parameters, by name; a list where there may be several."""
        raise NotImplementedError


class Text(Control):
    """A line of text."""

    def make(self):
        default = self.parameter.default
        return [QgsProcessingParameterString(self.key, self.label, default, optional=self.optional)]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsString(parameters, self.key, context).strip()}


class Number(Control):
    """A number that may be left open."""

    def make(self):
        whole = self.parameter.type == "integer"
        kind = QgsProcessingParameterNumber.Integer if whole else QgsProcessingParameterNumber.Double
        default = self.parameter.default
        return [QgsProcessingParameterNumber(self.key, self.label, kind, default, optional=self.optional)]

    def read(self, algorithm, parameters, context, feedback):
        if parameters.get(self.key) is None:
            return {}
        whole = self.parameter.type == "integer"
        value = algorithm.parameterAsInt if whole else algorithm.parameterAsDouble
        return {self.name: value(parameters, self.key, context)}


class Flag(Control):
    """A box to tick."""

    def make(self):
        return [QgsProcessingParameterBoolean(self.key, self.label, bool(self.parameter.default))]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsBoolean(parameters, self.key, context)}


class Choice(Control):
    """One of several words."""

    def make(self):
        choices = list(self.parameter.choices)
        return [
            QgsProcessingParameterEnum(
                self.key, self.label, choices, defaultValue=self.parameter.default,
                optional=self.optional and self.parameter.default is None, usesStaticStrings=True,
            )
        ]  # fmt: skip

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsEnumString(parameters, self.key, context)}


class Raster(Control):
    """A raster layer."""

    def make(self):
        return [QgsProcessingParameterRasterLayer(self.key, self.label, optional=self.optional)]

    def read(self, algorithm, parameters, context, feedback):
        layer = algorithm.parameterAsRasterLayer(parameters, self.key, context)
        return {} if layer is None else {self.name: file_of(layer)}


class Scenes(Control):
    """A raster layer, and others that are seen together with it."""

    @property
    def key(self):
        return "SCENE"

    @key.setter
    def key(self, key):
        """It has this name whatever the command calls the list."""

    def make(self):
        more = QgsProcessingParameterMultipleLayers(
            MORE, "More scenes, below the first", QgsProcessing.TypeRaster, optional=True
        )
        return [
            QgsProcessingParameterRasterLayer(self.key, self.offer.label("scenes"), optional=self.optional),
            advanced(more, "Several scenes are seen as one, the first on top."),
        ]

    def read(self, algorithm, parameters, context, feedback):
        first = algorithm.parameterAsRasterLayer(parameters, self.key, context)
        others = algorithm.parameterAsLayerList(parameters, MORE, context)
        return {self.name: [file_of(layer) for layer in (first, *others) if layer is not None]}


class Band(Control):
    """A band of the raster."""

    def make(self):
        return [
            QgsProcessingParameterBand(self.key, "Band that holds the roads", None, "RASTER", optional=True)
        ]

    read = Number.read


class Lines(Control):
    """A layer of lines, and which one it is of its file."""

    def make(self):
        return [
            QgsProcessingParameterVectorLayer(
                self.key, self.label, [QgsProcessing.TypeVectorLine], optional=self.optional
            )
        ]

    def read(self, algorithm, parameters, context, feedback):
        path, layer = algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
            parameters, self.key, context, READ, "gpkg", feedback
        )
        flag = "reference_layer" if self.name == "reference" else "layer"
        return {self.name: path, flag: layer}


class LayerName(Control):
    """Which layer of a file: the layer that was picked says it."""

    def make(self):
        return []

    def read(self, algorithm, parameters, context, feedback):
        return {}


class Area(Control):
    """A layer of polygons."""

    def make(self):
        return [
            QgsProcessingParameterVectorLayer(
                self.key, self.label, [QgsProcessing.TypeVectorPolygon], optional=True
            )
        ]

    def read(self, algorithm, parameters, context, feedback):
        if algorithm.parameterAsVectorLayer(parameters, self.key, context) is None:
            return {}
        # A GeoJSON holds one layer, so that there is no question which; and it states its CRS.
        path = algorithm.parameterAsCompatibleSourceLayerPath(
            parameters, self.key, context, ["geojson"], "geojson", feedback
        )
        return {self.name: path}


class Layer(Control):
    """A layer to write."""

    def __init__(self, parameter, offer):
        super().__init__(parameter, offer)
        self.meaning = "GeoPackage (.gpkg) keeps styles, provenance and all layers; or .geojson, .fgb."

    def make(self):
        return [QgsProcessingParameterVectorDestination(self.key, self.label, QgsProcessing.TypeVectorLine)]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsOutputLayer(parameters, self.key, context)}


class Page(Control):
    """A page, a project or a picture to write."""

    def make(self):
        kinds = "Page (*.html);;QGIS project (*.qgz);;Picture (*.png)"
        return [QgsProcessingParameterFileDestination(self.key, self.label, kinds)]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsFileOutput(parameters, self.key, context)}


class Figures(Control):
    """The file of ``--json``."""

    def make(self):
        return [
            QgsProcessingParameterFileDestination(
                self.key, self.label, "JSON (*.json)", optional=True, createByDefault=False
            )
        ]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: algorithm.parameterAsFileOutput(parameters, self.key, context)}


class Resume(Control):
    """Whether to go on with what a stopped run has left: yes, unless it shall be thrown away."""

    def make(self):
        label = "Begin anew: throw away what a stopped run has left (--restart)"
        return [QgsProcessingParameterBoolean(RESTART, label, False)]

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: not algorithm.parameterAsBoolean(parameters, RESTART, context)}


class Always(Control):
    """What QGIS has asked already (whether to replace a file), or does not need (silence)."""

    def make(self):
        return []

    def read(self, algorithm, parameters, context, feedback):
        return {self.name: self.name == "overwrite"}


class Settings(Control):
    """What ``--set`` takes: a purpose, and any other parameter as text."""

    def __init__(self, parameter, offer, purposes):
        super().__init__(parameter, offer)
        self.purposes = purposes
        self.meaning = "What --set takes on the command line; the help beside lists all, with their defaults."

    def make(self):
        made = []
        if self.purposes:
            texts = ["any purpose", *(f"{name}: {about}" for name, about in self.purposes.items())]
            purpose = QgsProcessingParameterEnum(PURPOSE, "Made for", texts, defaultValue=0)
            made = [advanced(purpose, "Several parameters that are set at once.")]
        label = "Other parameters, one a line, as network.spur_m=15"
        return [*made, QgsProcessingParameterString(SETTINGS, label, "", multiLine=True, optional=True)]

    def read(self, algorithm, parameters, context, feedback):
        number = algorithm.parameterAsEnum(parameters, PURPOSE, context) if self.purposes else 0
        purpose = [f"for={[*self.purposes][number - 1]}"] if number else []
        lines = algorithm.parameterAsString(parameters, SETTINGS, context).splitlines()
        return {self.name: [*purpose, *(line.strip() for line in lines if line.strip())]}


class Extent:
    """The part to work on, or to keep: no parameter of a command, but one of QGIS."""

    def __init__(self, kind, raster_key):
        self.kind, self.raster_key = kind, raster_key

    def make(self):
        """As of a Control."""
        label = "Extent to work on" if self.kind == "bounds" else "Extent to keep"
        made = QgsProcessingParameterExtent(EXTENT, label, optional=True)
        made.setHelp("All of the raster where it is left empty.")
        return [made]

    def read(self, algorithm, parameters, context, feedback):
        """As of a Control: bounds in the scene's CRS as a setting, or in degrees as an area."""
        if parameters.get(EXTENT) in (None, ""):
            return {}
        if self.kind == "bounds":
            crs = algorithm.parameterAsRasterLayer(parameters, self.raster_key, context).crs()
            box = algorithm.parameterAsExtent(parameters, EXTENT, context, crs)
            return {} if box.isNull() else {"settings": [f"scene.bounds=[{_bounds(box)}]"]}
        degrees = QgsCoordinateReferenceSystem("EPSG:4326")
        box = algorithm.parameterAsExtent(parameters, EXTENT, context, degrees)
        return {} if box.isNull() else {"aoi": _bounds(box)}


KINDS = {
    "text": Text, "path": Text, "number": Number, "integer": Number, "boolean": Flag, "choice": Choice,
    "scenes": Scenes, "raster": Raster, "band": Band, "lines": Lines, "area": Area, "layer": Layer,
    "page": Page,
}  # fmt: skip
"""By the role that an offer gives a parameter, or else by its type."""
SPECIAL = {"overwrite": Always, "quiet": Always, "resume": Resume, "json_file": Figures}
"""By the parameter's name: they mean the same in every command."""


def controls_of(offer, command):
    """The controls of an algorithm, in the order of the command's page of help."""
    made = []
    for parameter in command.parameters:
        name = parameter.name
        if name in offer.left_out:
            continue
        if name == "settings":
            made.append(Settings(parameter, offer, command.purposes))
        elif name in ("layer", "reference_layer") and "lines" in offer.roles.values():
            made.append(LayerName(parameter, offer))
        else:
            kind = SPECIAL.get(name) or KINDS[offer.roles.get(name, parameter.type)]
            made.append(kind(parameter, offer))
    if offer.extent:
        raster = next(each for each in made if isinstance(each, (Scenes, Raster)))
        made.insert(made.index(raster) + 1, Extent(offer.extent, raster.key))
    return made


def advanced(definition, meaning=""):
    """A definition among the advanced parameters; with what it means, unless that is empty."""
    definition.setFlags(definition.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
    if meaning:
        definition.setHelp(meaning)
    return definition


def file_of(layer):
    """The path of a raster layer's file.

    Raises:
        QgsProcessingException: the layer is no file, as tiles of a server are none.
    """
    provider = layer.dataProvider().name()
    if provider != "gdal":
        raise QgsProcessingException(
            f"{layer.name()} comes from a server ({provider}), and georoads reads files: save its part as "
            "GeoTIFF first (Export, Save As…, in the layer's menu, as rendered image, at 0.5 m)"
        )
    path = QgsProviderRegistry.instance().decodeUri("gdal", layer.source()).get("path") or layer.source()
    return str(Path(path)) if Path(path).exists() else path


def _bounds(box):
    """west,south,east,north with all digits."""
    sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
    return ",".join(repr(side) for side in sides)
