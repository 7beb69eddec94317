"""Finding the pictures and masks of a data set: the DeepGlobe Kaggle layout, or a folder of pairs.

Kaggle layout: ``metadata.csv`` (image_id, split, sat_image_path, mask_path) and ``class_dict.csv``; or,
without them, files ID_sat.jpg and ID_mask.png, in the folder or in folders of it.
Folder of pairs: ``images/`` and ``masks/`` with equal stems, and optionally ``index.csv``
(name, split, gsd_m); and optionally ``valid/``, whose pictures of equal stem are black where a picture shows
no ground. Both may carry a ``split.json`` with lists of names under ``train`` and ``val``.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from georoads.errors import DatasetError

DEEPGLOBE_GSD_M = 0.5
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
_SUBSETS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One picture and its mask.

    Attributes:
        name: unique within the data set.
        image: RGB picture.
        mask: picture of the same size, road where it is 128 or more.
        gsd_m: metres per pixel.
        split: the split that the data set itself names, or "".
        valid: picture of the same size, below 128 where the image shows no ground; None: all of it counts.
    """

    name: str
    image: Path
    mask: Path
    gsd_m: float
    split: str = ""
    valid: Path | None = None


@dataclass(frozen=True)
class RoadDataset:
    """The labelled pictures of one folder, sorted by name.

    Attributes:
        path: the folder.
        layout: "kaggle" or "pairs".
        samples: sorted by name.
        unlabelled: pictures that have no mask (the Kaggle set's valid and test folders).
        skipped: names of pictures that were left out because something is wrong with them.
    """

    path: Path
    layout: str
    samples: tuple[Sample, ...]
    unlabelled: tuple[Path, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labelled samples."""
        return tuple(s.name for s in self.samples)

    def select(self, names: tuple[str, ...] | list[str]) -> tuple[Sample, ...]:
        """The samples with these names, in the data set's order; skipped ones are passed over.

        Raises:
            DatasetError: when a name is not in the data set.
        """
        wanted = set(names) - set(self.skipped)
        missing = sorted(wanted - set(self.names))
        if missing:
            raise DatasetError(
                f"{self.path}: {len(missing)} names of the split are not in the data set: "
                f"{', '.join(missing[:5])}",
                "it was made for another data set, or pictures were removed: make it anew",
            )
        return tuple(s for s in self.samples if s.name in wanted)


def open_dataset(path: str | Path, gsd_m: float | None = None, *, skip_bad: bool = False) -> RoadDataset:
    """Index a data set; no picture is opened.

    Args:
        path: folder in the Kaggle layout or a folder of pairs.
        gsd_m: metres per pixel, where the data set does not say it itself; DeepGlobe's is 0.5.
        skip_bad: leave out pictures and masks without their counterpart instead of refusing the data set.

    Raises:
        DatasetError: when the folder is neither, is empty, or its index contradicts its files.
    """
    root = Path(path)
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder", "georoads download fetches DeepGlobe to ./deepglobe")
    if (root / "metadata.csv").is_file():
        data = _open_kaggle(root, gsd_m or DEEPGLOBE_GSD_M, skip_bad)
    elif (root / "images").is_dir() and (root / "masks").is_dir():
        data = _open_pairs(root, gsd_m, skip_bad)
    elif folders := _find_tile_folders(root):
        data = _open_tiles(root, folders, gsd_m or DEEPGLOBE_GSD_M, skip_bad)
    else:
        raise DatasetError(
            f"{root} holds neither metadata.csv, nor pictures ID_sat.jpg, nor the folders images and masks",
            "give a folder in DeepGlobe's Kaggle layout, or a folder of pairs",
        )
    if not data.samples:
        raise DatasetError(
            f"{root} holds no labelled picture", "each picture needs a mask with the same name"
        )
    return data


def _open_kaggle(root: Path, gsd_m: float, skip_bad: bool) -> RoadDataset:
    needed = ("image_id", "split", "sat_image_path", "mask_path")
    samples, unlabelled = [], []
    for row in _read_rows(root / "metadata.csv", needed):
        image = _resolve_inside(root, row["sat_image_path"])
        if row["mask_path"]:
            samples.append(
                Sample(row["image_id"], image, _resolve_inside(root, row["mask_path"]), gsd_m, row["split"])
            )
        else:
            unlabelled.append(image)
    whole = [s for s in samples if s.image.is_file() and s.mask.is_file()]
    if not skip_bad:
        _refuse_missing(root, [f for s in samples for f in (s.image, s.mask)])
    ordered = tuple(sorted(whole, key=lambda s: s.name))
    skipped = tuple(sorted({s.name for s in samples} - {s.name for s in whole}))
    return RoadDataset(root, "kaggle", ordered, tuple(sorted(unlabelled)), skipped)


@dataclass(frozen=True)
class _TileFolder:
    """A folder of ``ID_sat.jpg`` and ``ID_mask.png``: its pictures and masks by id."""

    name: str
    pictures: dict[str, Path]
    masks: dict[str, Path]


def _find_tile_folders(root: Path) -> list[_TileFolder]:
    """The root and the folders in it, as far as they hold tiles."""
    folders = [root, *sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))]
    found = []
    for folder in folders:
        files = _find_pictures(folder)
        pictures, masks = (
            {stem.removesuffix(end): path for stem, path in files.items() if stem.endswith(end)}
            for end in ("_sat", "_mask")
        )
        if pictures:
            found.append(_TileFolder("" if folder == root else folder.name, pictures, masks))
    return found


def _open_tiles(root: Path, folders: list[_TileFolder], gsd_m: float, skip_bad: bool) -> RoadDataset:
    """The Kaggle layout without its index: a folder without any mask is unlabelled."""
    samples: dict[str, Sample] = {}
    unlabelled: list[Path] = []
    lonely: list[str] = []
    for folder in folders:
        pictures, masks = folder.pictures, folder.masks
        if not masks:
            unlabelled += pictures.values()
            continue
        lonely += sorted(pictures.keys() ^ masks.keys())
        for name in pictures.keys() & masks.keys():
            if name in samples:
                raise DatasetError(
                    f"{samples[name].image} and {pictures[name]} have the same id", "keep one of them"
                )
            split = folder.name if folder.name in _SUBSETS else ""
            samples[name] = Sample(name, pictures[name], masks[name], gsd_m, split)
    _refuse_lonely(root, lonely, skip_bad, "each ID_sat.jpg needs its ID_mask.png")
    ordered = tuple(samples[name] for name in sorted(samples))
    return RoadDataset(root, "kaggle", ordered, tuple(sorted(unlabelled)), tuple(lonely))


def _open_pairs(root: Path, gsd_m: float | None, skip_bad: bool) -> RoadDataset:
    images, masks, valid = (_find_pictures(root / name) for name in ("images", "masks", "valid"))
    index = root / "index.csv"
    rows = {r["name"]: r for r in _read_rows(index, ("name",))} if index.is_file() else {}
    lonely = sorted(((images.keys() | rows.keys()) ^ masks.keys()) | (valid.keys() - images.keys()))
    hint = "images/ and masks/ (and index.csv) must name the same pictures; valid/ may hold some of them"
    _refuse_lonely(root, lonely, skip_bad, hint)
    samples = []
    for name in sorted(images.keys() - set(lonely)):
        row = rows.get(name, {})
        gsd = row.get("gsd_m") or gsd_m
        if not gsd:
            raise DatasetError(
                f"{root}: the pixel size of {name} is not known",
                "give metres per pixel: gsd_m in index.csv or in the recipe's [[data]] table, --gsd-m to "
                "train and evaluate, --gsd to info",
            )
        split = row.get("split") or ""
        if split not in ("", *_SUBSETS):
            raise DatasetError(
                f"{index}: {name} is of the split {split!r}", f"known: {', '.join(_SUBSETS)}, or nothing"
            )
        samples.append(
            Sample(name, images[name], masks[name], _parse_gsd(gsd, index), split, valid.get(name))
        )
    return RoadDataset(root, "pairs", tuple(samples), (), tuple(lonely))


def _refuse_lonely(root: Path, lonely: list[str], skip_bad: bool, hint: str) -> None:
    if lonely and not skip_bad:
        raise DatasetError(
            f"{root}: {len(lonely)} pictures or masks without their counterpart: {', '.join(lonely[:5])}",
            f"{hint}; --skip-bad leaves them out",
        )


def _find_pictures(folder: Path) -> dict[str, Path]:
    """Picture files by stem, without hidden ones (``._a.png``); none where there is no such folder.

    Raises:
        DatasetError: two files have the same stem.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in _PICTURES and not path.name.startswith("."):
            if path.stem in found:
                raise DatasetError(
                    f"{folder} holds {found[path.stem].name} and {path.name}", "keep one picture of each name"
                )
            found[path.stem] = path
    return found


def _parse_gsd(value: str | float, source: Path) -> float:
    try:
        gsd = float(value)
    except ValueError:
        gsd = 0.0
    if not gsd > 0:
        raise DatasetError(f"{source}: gsd_m is {value!r}", "give metres per pixel, a number above 0")
    return gsd


def _read_rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file; a byte order mark and CRLF are fine."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:
            reader = csv.DictReader(f)
            missing = [c for c in needed if c not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(
                    f"{path} lacks the column {missing[0]!r}",
                    f"its first line must name: {', '.join(needed)}",
                )
            return [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (UnicodeDecodeError, csv.Error) as e:
        raise DatasetError(f"{path} is not readable CSV: {e}", "save it as UTF-8 text with commas") from e


def _resolve_inside(root: Path, relative: str) -> Path:
    """A path of the index below the data set's folder; absolute paths keep only their last two parts."""
    path = PureWindowsPath(relative)  # which knows both slashes and drives, on every system
    parts = path.relative_to(path.anchor).parts
    if ".." in parts:
        raise DatasetError(
            f"{root}/metadata.csv: the path {relative!r} leaves the folder", "give a path below the folder"
        )
    if len(relative) > 1000 or any(len(part.encode()) > 255 for part in parts):
        raise DatasetError(
            f"{root}/metadata.csv: the path {relative[:40]!r}… is longer than any file's", "correct the row"
        )
    if path.anchor:
        parts = parts[-2:]
    return root.joinpath(*parts)


def _refuse_missing(root: Path, files: list[Path]) -> None:
    missing = [f for f in files if not f.is_file()]
    if missing:
        names = ", ".join(str(f.relative_to(root)) for f in missing[:5])
        raise DatasetError(
            f"{root}: {len(missing)} files of metadata.csv are missing: {names}",
            "unpack the data set again, or --skip-bad leaves them out",
        )


def read_split_file(path: Path) -> dict[str, tuple[str, ...]]:
    """Lists of names by subset ("train", "val", perhaps "test") from a JSON file.

    Raises:
        DatasetError: when the file is not such a JSON, or a name stands in two subsets.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        subsets = {k: tuple(map(str, content[k])) for k in _SUBSETS if k in content}
    except (OSError, ValueError, TypeError, RecursionError) as e:
        raise DatasetError(
            f"{path} is not a split file: {e}", 'a split is JSON: {"train": [names], "val": [names]}'
        ) from e
    if "train" not in subsets or "val" not in subsets:
        raise DatasetError(f"{path} lacks the list train or val", 'a split is {"train": […], "val": […]}')
    seen: dict[str, str] = {}
    for subset, names in subsets.items():
        for name in names:
            if seen.setdefault(name, subset) != subset:
                raise DatasetError(
                    f"{path}: {name} is in {seen[name]} and in {subset}", "each name may stand in one subset"
                )
    return subsets
