"""The corpus and the benchmarks are beside the packages, where no installation puts them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
