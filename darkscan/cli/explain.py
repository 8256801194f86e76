"""``darkscan explain``: shows what in a window made a network say scratch."""

import argparse
import re
from collections.abc import Sized
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from darkscan.cli.options import add_force_option, add_hdu, require_new
from darkscan.cli.progress import say
from darkscan.drivers.images import Mosaic
from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import Area, Defect, DefectMap
from darkscan.pipeline.core.errors import ExitCode, InputError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.inputs import require_file
from darkscan.pipeline.core.map_reading import read_map
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.scan import ScanInfo

if TYPE_CHECKING:
    from torch import nn

_WINDOW = 256
_MOST_WINDOWS = 16
_PANELS = ("cam", "line", "place", "channel", "scale")

_EPILOG = """\
examples:
  darkscan explain plate.tif --window 512,1024 --window 640,1024 --out windows.png
  darkscan explain --map results/ --scan scan.h5 --defect D0003 --out D0003.png
  darkscan explain --checkpoint afn.pt --checkpoint attention-92.pt --show cam \\
      plate.tif --window 512,1024 --out fig7.png

A column for each window: raw, histogram-equalised, then for each network Grad-CAM and, where
it has them, its line head, sigma_s and sigma_c of channel attention and the four groups
of each scale attention. A window is named by the image's row and column of its first
pixel. Of a defect (D0003) the windows are shown that its outline reaches into, of an area
(A0001) those that make it up. A map keeps no window's score: the first network's
highest are shown.
"""


class _Chosen(NamedTuple):
    """The windows to show."""

    windows: Pixels
    """(N, 256, 256)."""
    titles: list[str]
    full_scale: float


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares ``darkscan explain`` and its options."""
    parser = commands.add_parser(
        "explain",
        help="show what in a window made a network say scratch",
        description="Draws Grad-CAM and the attention weights of networks over windows of an "
        "image, or of a defect or an area of a map.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", metavar="IMAGE", type=Path, nargs="?", help="an image file")
    parser.add_argument(
        "--window", metavar="Y,X", action="append", default=[], help="first pixel; may be repeated"
    )
    add_hdu(parser)
    parser.add_argument(
        "--map", type=Path, help="a defect map or a folder of results, instead of an image"
    )
    parser.add_argument("--scan", type=Path, help="the recording that the map was made of")
    parser.add_argument(
        "--defect", metavar="ID", help="which defect or area of the map: D0003 or A0001, for one"
    )
    parser.add_argument(
        "--windows", type=int, default=4, metavar="N", help="of a defect, at most (default: 4)"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        metavar="FILE",
        help="a trained network; may be repeated (default: that of the default model)",
    )
    parser.add_argument(
        "--show", default=",".join(_PANELS), metavar="PANELS", help="some of %(default)s"
    )
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    add_force_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draws the windows with what the networks saw in them."""
    out: Path = arguments.out
    if out.suffix.lower() != ".png":
        raise InputError("must end in .png", file=out, field="--out")
    require_new(out, force=arguments.force)
    panels = _panels(arguments.show)
    of_defect = _wants_defect(arguments)
    # Torch takes seconds to load: what is wrong with the command is told before.
    chosen = None if of_defect else _of_image(arguments)

    from darkscan.network.explaining import Panel, draw, explain

    networks = _networks(arguments.checkpoint or [_default_checkpoint()])
    if chosen is None:
        chosen = _of_defect(arguments, next(iter(networks.values())))
    explanations = [
        explain(network, chosen.windows, chosen.full_scale, name=name)
        for name, network in networks.items()
    ]
    image = draw(
        chosen.windows,
        chosen.titles,
        explanations,
        full_scale=chosen.full_scale,
        panels=[Panel(panel) for panel in panels],
    )
    write_atomically(out, image)
    for number, title in enumerate(chosen.titles):
        scores = ", ".join(f"{e.network} {e.scores[number]:.3f}" for e in explanations)
        say(f"{' '.join(title.split())}: {scores}")
    say(f"{out}: {_count(chosen.titles, 'window')}, {_count(explanations, 'network')}")
    return ExitCode.OK


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s'[: len(things) != 1]}"


def _wants_defect(arguments: argparse.Namespace) -> bool:
    """Whether a defect is asked for, not an image. Raises InputError if it is not clear."""
    of_map = {"--map": arguments.map, "--scan": arguments.scan, "--defect": arguments.defect}
    given = [option for option, value in of_map.items() if value is not None]
    if arguments.image is not None and given:
        raise InputError("an image has no defect map; give one or the other", field=given[0])
    if arguments.image is None:
        for option, value in of_map.items():
            if value is None:
                raise InputError("give an IMAGE, or --map, --scan and --defect", field=option)
        if arguments.window:
            raise InputError("a defect brings its own windows", field="--window")
        if arguments.hdu is not None:
            raise InputError("a recording has no HDU to choose", field="--hdu")
    elif not arguments.window:
        raise InputError("name at least one window of the image", field="--window")
    if not 1 <= arguments.windows <= _MOST_WINDOWS or len(arguments.window) > _MOST_WINDOWS:
        field = "--window" if arguments.window else "--windows"
        raise InputError(f"from 1 to {_MOST_WINDOWS} windows can be shown", field=field)
    return arguments.image is None


def _panels(text: str) -> list[str]:
    panels = [part.strip() for part in text.split(",")]
    for panel in panels:
        if panel not in _PANELS:
            problem = f"must be some of {','.join(_PANELS)}, is {panel!r}"
            raise InputError(problem, field="--show")
    return panels


def _of_image(arguments: argparse.Namespace) -> _Chosen:
    """Windows of an image. Raises InputError naming the one that is not within it."""
    path: Path = arguments.image
    places = [_place(text) for text in arguments.window]
    image = Mosaic([path], stretch=True, hdu=arguments.hdu)
    height, width = image.shape
    windows = np.empty((len(places), _WINDOW, _WINDOW), image.pixel_type)
    for (y, x), out in zip(places, windows, strict=True):
        if y + _WINDOW > height or x + _WINDOW > width:
            problem = f"{y},{x} is not within the image of {width}x{height} pixels"
            raise InputError(problem, file=path, field="--window")
        image.read_into(y, x, out)
    titles = [f"{y},{x}" for y, x in places]
    return _Chosen(windows, titles, float(2**image.bit_depth - 1))


def _place(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise InputError(f"must be like 512,1024, is {text!r}", field="--window")
    return int(match[1]), int(match[2])


def _of_defect(arguments: argparse.Namespace, network: "nn.Module") -> _Chosen:
    """The windows of a defect or area that ``network`` scores highest, strongest first."""
    from darkscan.network.explaining import area_windows, defect_windows, scores_of, spread_out

    document = read_map(arguments.map)
    found = _found(document, arguments)
    with Recording(arguments.scan) as scan:
        _require_same_element(document, scan.info, arguments)
        if isinstance(found, Area):
            places = area_windows(document, found, scan.info, scan.frames)
        else:
            places = defect_windows(document, found, scan.info, scan.frames)
        if not places:
            problem = f"has no window where {arguments.map} has {found.id}"
            raise InputError(problem, file=arguments.scan, field="--scan")
        window = document.recipe.window_px
        windows = np.empty((len(places), window, window), scan.info.dtype)
        frame = np.empty(scan.info.frame_shape, scan.info.dtype)
        shown = None
        for place, out in zip(places, windows, strict=True):
            if place.source_index != shown:
                scan.read_into(place.source_index, frame)
                shown = place.source_index
            out[:] = frame[place.y : place.y + window, place.x : place.x + window]
        full_scale = float(scan.info.full_scale)
    scores = scores_of(network, windows, full_scale)
    side_mm = window * document.scan.pitch_um / 1000
    numbers = list(spread_out(places, scores, arguments.windows, side_mm=side_mm))
    titles = [
        f"{found.id}, frame {places[number].frame}\n{places[number].y},{places[number].x}"
        for number in numbers
    ]
    return _Chosen(windows[numbers], titles, full_scale)


def _found(document: DefectMap, arguments: argparse.Namespace) -> Defect | Area:
    """The defect or area that is asked for. Raises InputError if there is none."""
    name: str = arguments.defect
    every: tuple[Defect | Area, ...] = (*document.defects, *document.areas)
    for found in every:
        if found.id == name:
            return found
    problem = f"has no {name!r}; defects: {len(document.defects)}, areas: {len(document.areas)}"
    raise InputError(problem, file=arguments.map, field="--defect")


def _require_same_element(
    document: DefectMap, info: ScanInfo, arguments: argparse.Namespace
) -> None:
    ours = (document.element.name, document.element.side, document.scan.pitch_um)
    theirs = (info.element, info.side, info.pitch_um)
    if ours != theirs:
        problem = "is of element {} {} at {} um, but the map of {} {} at {} um"
        raise InputError(problem.format(*theirs, *ours), file=arguments.scan, field="--scan")


def _default_checkpoint() -> Path:
    return Path(str(files("darkscan") / "models" / "default.pt"))


def _networks(checkpoints: list[Path]) -> "dict[str, nn.Module]":
    """The networks of checkpoints by name, in order. Raises InputError."""
    from darkscan.network.training import Checkpoint

    networks: dict[str, nn.Module] = {}
    for file in checkpoints:
        problem = "there is no such checkpoint; name one of `darkscan train`"
        require_file(file, field="--checkpoint", absent=problem)
        training = Checkpoint.load(file)
        name = str(training.options.network)
        if name in networks:
            name = printable(f"{name} ({file.parent.name}/{file.stem})")
        networks[name] = training.averaged_network().eval()
    return networks
