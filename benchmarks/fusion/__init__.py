"""Who fuses what: models with a known best result, and the tools that are tried on them."""
