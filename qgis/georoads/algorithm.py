# SPDX-License-Identifier: GPL-2.0-or-later
"""An algorithm of Processing that runs a command of georoads."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputNumber,
    QgsProcessingUtils,
)

from . import unfinished
from .command import command_line, read_description
from .controls import advanced, controls_of
from .environment import MissingError, cleaned, find_program
from .places import home, stated_program
from .results import load_layers
from .run import USAGE, run, signals_heard

STAGES = {"predict": "Predicting roads, tile by tile"}
AFTER = "Tracing, cleaning and writing the lines"


class CommandAlgorithm(QgsProcessingAlgorithm):
    """A command of georoads, with the parameters that georoads itself describes."""

    def __init__(self, offer):
        super().__init__()
        self._offer = offer
        self._version, commands = read_description()
        self._command = commands[offer.command]
        self._controls = controls_of(offer, self._command)

    def createInstance(self):
        return CommandAlgorithm(self._offer)

    def name(self):
        return self._offer.id

    def displayName(self):
        return self._offer.title

    def shortDescription(self):
        return self._offer.about

    def tags(self):
        return ["road", "network", "segmentation", "georoads", self._offer.command]

    def shortHelpString(self):
        paragraphs = "".join(f"<p>{html.escape(part)}</p>" for part in self._command.help.split("\n\n"))
        settings = "".join(
            f"<li><b>{html.escape(name)}={html.escape(json.dumps(default))}</b>: {html.escape(meaning)}</li>"
            for name, default, meaning in self._command.settings
        )
        more = f"<p>Other parameters, with their defaults:</p><ul>{settings}</ul>" if settings else ""
        own = self._offer.id != self._offer.command
        return (f"<p>{html.escape(self._offer.about)}</p>" if own else "") + paragraphs + more

    def initAlgorithm(self, configuration=None):
        for control in self._controls:
            name = getattr(control, "name", "")
            for definition in control.make():
                if name and not definition.help():
                    definition.setHelp(control.meaning)
                if name and name not in self._offer.shown:
                    advanced(definition)
                self.addParameter(definition)
        for figure in self._offer.figures:
            self.addOutput(QgsProcessingOutputNumber(figure.upper(), figure.replace("_", " ")))

    def processAlgorithm(self, parameters, context, feedback):
        values = {"settings": []} if self._command.has("settings") else {}
        for control in self._controls:
            for name, value in control.read(self, parameters, context, feedback).items():
                values[name] = [*values[name], *value] if name == "settings" else value
        wanted = values.get(self._offer.output, "")
        with tempfile.TemporaryDirectory(prefix="georoads-") as folder:
            figures = Path(values.get("json_file") or Path(folder) / "figures.json")
            if self._command.has("json_file"):
                values["json_file"] = str(figures)
            place = self._place(wanted, values)
            if self._offer.output:
                values[self._offer.output] = str(place)
            self._run(command_line(self._command, values), feedback)
            if feedback.isCanceled():
                return {}
            if wanted and str(place) != wanted:
                shutil.move(str(place), wanted)
            told = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
        results = {figure.upper(): told[figure] for figure in self._offer.figures if figure in told}
        if wanted:
            results[self._offer.output.upper()] = load_layers(wanted, self._offer.layers, context)
        return results

    def _place(self, wanted, values):
        """The file that georoads writes: what is wanted, or, for a temporary one, where its work stays."""
        temporary = Path(QgsProcessingUtils.tempFolder())
        if not (wanted and self._command.has("resume") and temporary in Path(wanted).parents):
            return Path(wanted)
        unfinished.forget_old(home())
        ours = {k: v for k, v in values.items() if k not in (self._offer.output, "json_file", "resume")}
        area = Path(str(ours.get("aoi", "")))
        if temporary in area.parents:  # QGIS writes it anew for each run: its polygons are what counts
            ours["aoi"] = area.read_text(encoding="utf-8")
        words = [f"{name}={value}" for name, value in sorted(ours.items())]
        return unfinished.place(home(), words, Path(wanted).suffix)

    def _run(self, words, feedback):
        """Run georoads to its end.

        Raises:
            QgsProcessingException: it is not installed; it refuses the work, with its hint; it was stopped by
                a signal. Where the user cancelled it returns.
        """
        try:
            program = find_program(stated_program(), home(), os.environ)
        except MissingError as e:
            raise QgsProcessingException(str(e)) from e
        feedback.pushInfo(f"georoads is {program.where}: {program.path}")
        feedback.pushCommandInfo(shlex.join(["georoads", *words]))
        told = []

        def show(progress):
            if progress.stage not in told:
                told.append(progress.stage)
                many = f"{progress.total:.0f} {progress.unit}"
                feedback.setProgressText(f"{STAGES.get(progress.stage, progress.stage)}: {many}")
            feedback.setProgress(progress.percent)
            if progress.done >= progress.total and AFTER not in told:
                told.append(AFTER)
                feedback.setProgressText(AFTER)

        with signals_heard() as heard:
            try:
                ended = run(
                    [str(program.path), *words], cleaned(os.environ), on_progress=show,
                    on_line=lambda line: feedback.pushConsoleInfo(_aligned(line)),
                    is_cancelled=lambda: feedback.isCanceled() or heard(),
                )  # fmt: skip
            except OSError as e:
                raise QgsProcessingException(f"{program.path} cannot be started: {e.strerror}") from e
        if ended.stopped:
            goes_on = self._command.has("resume")
            after = "the same parameters again go on where it was" if goes_on else "nothing was written"
            if not feedback.isCanceled():
                raise QgsProcessingException(f"stopped; {after}")
            feedback.pushInfo(f"Stopped; {after}.")
        elif not ended.well:
            error = ended.error or (ended.said[-1] if ended.said else f"georoads ended with {ended.code}")
            hint = _in_qgis(ended.hint)
            if ended.code == USAGE:
                hint = f"the plugin is made for georoads {self._version}: is {program.path} an older one?"
            raise QgsProcessingException("\n".join(part for part in (error, hint) if part))


def _in_qgis(hint):
    """A hint, with where its flag stands in the dialog."""
    return f"{hint} (in the dialog: Advanced Parameters, Begin anew)" if "--restart" in hint else hint


def _aligned(line):
    """A line of a table for the log, which is HTML and would let several spaces fall into one."""
    return re.sub("  +", lambda found: "\u00a0" * len(found.group()), line)
