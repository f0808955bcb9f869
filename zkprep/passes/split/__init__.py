"""One large operator as several small ones, so that a slice can hold a part.

`tiles` makes parts of what an operator puts out: each part is computed from the region of its
inputs that it needs, by the rules of `restrictions`. `sums` makes parts of what an operator sums
over. Both are exact; which is worth what is for `zkprep.slicing.splitting` to decide.
"""

from zkprep.passes.split.sums import SplitIntoSums
from zkprep.passes.split.targets import REGIONS, Target
from zkprep.passes.split.tiles import SplitIntoTiles

__all__ = ["REGIONS", "SplitIntoSums", "SplitIntoTiles", "Target"]
