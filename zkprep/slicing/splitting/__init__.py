"""Operators larger than a slice become several: which, how, and the models that come of it.

Splits follow the rewrites and precede the cut (docs/adr/0007). `choose` finds those that are needed
among the `candidates`; `apply` makes splits, one's own or those of a statement.
"""

from zkprep.slicing.splitting.apply import split
from zkprep.slicing.splitting.choose import LEFT, fitted

__all__ = ["LEFT", "fitted", "split"]
