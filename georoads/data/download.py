"""DeepGlobe's roads as one complete folder: from Kaggle, or from an archive that is there already.

A folder is taken for complete by what its own metadata.csv names: every file must be there and hold
something, and the pictures must be as many as the challenge has.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from georoads.data.dataset import open_dataset
from georoads.data.fetch import discard, fetch
from georoads.data.kaggle_token import PAGE
from georoads.data.unpack import unpack
from georoads.errors import DatasetError
from georoads.files.atomic import check_output
from georoads.files.lock import only_run
from georoads.progress import Watch, unwatched
from georoads.text import printable

TERMS = (
    "images (c) DigitalGlobe, DeepGlobe 2018: research and education only, not for commercial use, "
    "not to be published again"
)
_ROOM = 2.05
"""Archive and unpacked pictures lie beside each other for a while; JPEG and PNG do not shrink in a zip."""


@dataclass(frozen=True)
class Counts:
    """Pictures of a folder in DeepGlobe's Kaggle layout.

    Attributes:
        labelled: of train, each with its mask.
        valid, test: without masks.
    """

    labelled: int
    valid: int
    test: int

    def __str__(self) -> str:
        return f"{self.labelled} labelled, {self.valid} valid and {self.test} test pictures"


DEEPGLOBE = Counts(labelled=6226, valid=1243, test=1101)


@dataclass(frozen=True)
class Download:
    """What was done.

    Attributes:
        folder: the complete data set.
        counts: its pictures.
        downloaded_bytes: by this call.
        was_there: True when the folder was complete already, and nothing was done.
    """

    folder: Path
    counts: Counts
    downloaded_bytes: int = 0
    was_there: bool = False


def download_deepglobe(
    target: str | Path,
    address: Callable[[], str],
    *,
    expected: Counts = DEEPGLOBE,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = unwatched,
) -> Download:
    """Fetch the archive to ``target``.zip.part and unpack it to ``target``; then the archive is removed.

    Args:
        target: folder to make; complete already: nothing is done.
        address: gives the archive's address; asked only when something is missing, and for each attempt.
        expected: pictures that the archive must hold.
        say: takes a line about each failed attempt.
        watch: starts the progress of each step.

    Returns:
        The folder, and what was done for it.

    Raises:
        DatasetError: the target holds something else; refused by the server; the connection stays bad; the
            archive is damaged, unsafe or holds another number of pictures. What was downloaded is kept.
    """
    folder = Path(target).resolve()
    part = folder.with_name(folder.name + ".zip.part")
    with _reserved(folder, expected) as found:
        if found is not None:
            discard(part)  # of a run that was killed after its last step but one
            return Download(folder, found, was_there=True)
        downloaded = fetch(address, part, room=_ROOM, say=say, watch=watch)
        try:
            counts = _install(part, folder, expected, watch)
        except DatasetError as e:
            kept = f"the archive is kept: remove {printable(part)} to download it again"
            raise DatasetError(e.message, f"{e.hint}; {kept}") from e
        discard(part)
    return Download(folder, counts, downloaded)


def install_archive(
    archive: str | Path, target: str | Path, *, expected: Counts | None = DEEPGLOBE, watch: Watch = unwatched
) -> Download:
    """Unpack an archive that is there already to ``target``. The archive is only read.

    Args:
        archive: the zip file from Kaggle, or one that holds the same folders (perhaps below one folder).
        target: folder to make; complete already: nothing is done.
        expected: pictures that it must hold; None: as many as its metadata.csv names.
        watch: starts the progress.

    Returns:
        The folder, and what was done for it.

    Raises:
        DatasetError: the target holds something else; the archive is damaged, unsafe or incomplete.
    """
    folder = Path(target).resolve()
    with _reserved(folder, expected) as found:
        if found is not None:
            return Download(folder, found, was_there=True)
        return Download(folder, _install(Path(archive), folder, expected, watch))


@contextmanager
def _reserved(folder: Path, expected: Counts | None) -> Iterator[Counts | None]:
    """Keep other runs from the target's place; yields its pictures when it is complete already."""
    shown = printable(folder)
    if folder.is_file():
        raise DatasetError(f"{shown} is a file", "give another folder with -o")
    if folder.is_dir() and any(folder.iterdir()):
        away = "move it away, or give another folder with -o"
        try:
            found = _count_pictures(folder, folder, expected, away)
        except DatasetError as e:
            raise DatasetError(f"{e.message}; it is no complete data set", away) from e
        yield found
        return
    if folder == Path.cwd():
        raise DatasetError(f"{shown} is the current folder", "give the folder a name, as in -o deepglobe")
    check_output(folder.with_name(folder.name + ".zip.part"), overwrite=True)
    with only_run(folder.with_name(f".{folder.name}.lock"), shown):
        yield None


def _count_pictures(root: Path, named: Path, expected: Counts | None, hint: str) -> Counts:
    """Count the pictures that metadata.csv names; every one must be there, and its mask.

    Args:
        root: the folder that holds metadata.csv.
        named: the folder or archive that messages speak of.
        expected: what the counts must be; None: anything.
        hint: the way out where they are not.
    """
    shown = printable(named)
    try:
        data = open_dataset(root)
    except DatasetError as e:
        raise DatasetError(e.message.replace(str(root), shown), f"it is incomplete; see {PAGE}") from e
    if not (root / "metadata.csv").is_file():
        raise DatasetError(f"{shown} holds no metadata.csv", f"get DeepGlobe's archive from {PAGE}")
    files = [f for s in data.samples for f in (s.image, s.mask)] + list(data.unlabelled)
    missing = [f for f in files if not (f.is_file() and f.stat().st_size)]
    if missing:
        names = ", ".join(printable(f.relative_to(root)) for f in missing[:5])
        raise DatasetError(
            f"{shown}: {len(missing)} files of metadata.csv are missing or empty: {names}",
            f"it is incomplete; see {PAGE}",
        )
    by_folder = Counter(f.parent.name for f in data.unlabelled)
    counts = Counts(len(data.samples), by_folder["valid"], by_folder["test"])
    if expected not in (None, counts):
        raise DatasetError(f"{shown} holds {counts}, not {expected}", hint)
    return counts


def _install(archive: Path, folder: Path, expected: Counts | None, watch: Watch) -> Counts:
    """Unpack beside the target, check, and move into place."""
    beside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed: we hold the lock
    try:
        unpack(archive, beside, watch)
        # The data set may lie below one folder.
        tables = [*beside.glob("metadata.csv"), *sorted(beside.glob("*/metadata.csv"))]
        root = tables[0].parent if tables else beside
        way_out = "unpack it as it is with --from-zip and --any-count"
        counts = _count_pictures(root, archive, expected, way_out)
        if folder.is_dir():
            folder.rmdir()  # empty, as was checked; Windows does not move onto a folder
        root.rename(folder)
    except OSError as e:
        raise DatasetError(
            f"{printable(folder)} cannot be put in place: {e.strerror or e}",
            "close the programs that use it, or give another folder with -o",
        ) from e
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return counts
