"""The models of the survey: every family, the fusable ones first, then the traps."""

from benchmarks.fusion.patterns import arithmetic, convolutions, forms, products, traps
from benchmarks.fusion.patterns.pattern import Pattern, count_nodes, every_node

__all__ = ["PATTERNS", "Pattern", "count_nodes", "every_node"]

FAMILIES = (
    *convolutions.FAMILIES,
    *products.FAMILIES,
    *arithmetic.FAMILIES,
    *forms.FAMILIES,
    *traps.FAMILIES,
)

PATTERNS: tuple[Pattern, ...] = tuple(one for family in FAMILIES for one in family.patterns)
