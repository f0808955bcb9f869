"""Fusion tests take their models from benchmarks/, which no installation puts on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
