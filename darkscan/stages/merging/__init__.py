"""From the scores of a finished scan to the element's defect map and its files."""

from darkscan.stages.merging._assembly import build_map
from darkscan.stages.merging._map_files import write_map

__all__ = ["build_map", "write_map"]
