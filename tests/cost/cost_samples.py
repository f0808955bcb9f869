"""Settings as EZKL writes them, for circuits that were measured."""

from typing import Any

import msgspec

from zkprep.circuit import Settings


def make_settings(
    *,
    logrows: int,
    width: int,
    cells: int,
    constants: int,
    ranges: list[tuple[int, int]],
    lookups: int = 0,
    lookup_range: tuple[int, int] = (-32768, 32768),
    tables: int = 0,
    shuffles: int = 0,
    dynamic_size: int = 0,
    module: str = "-",
) -> Settings:
    hashed = {"Hashed": {"hash_is_public": True, "outlets": []}}
    document: dict[str, Any] = {
        "run_args": {
            "input_scale": 7,
            "param_scale": 7,
            "scale_rebase_multiplier": 1,
            "lookup_range": lookup_range,
            "logrows": logrows,
            "num_inner_cols": width,
            "input_visibility": "Public",
            "output_visibility": hashed if module == "poseidon" else "Public",
            "param_visibility": "Fixed",
            "decomp_base": 1024,
            "decomp_legs": 3,
            "ignore_range_check_inputs_outputs": False,
            "rebase_frac_zero_constants": False,
            "disable_freivalds": True,
        },
        "num_rows": -(-cells // width),
        "total_assignments": cells,
        "total_const_size": constants,
        "total_dynamic_col_size": dynamic_size if tables and not shuffles else 0,
        "num_dynamic_lookups": tables,
        "num_shuffles": shuffles,
        "total_shuffle_col_size": dynamic_size if shuffles else 0,
        "einsum_params": {"total_einsum_col_size": 0},
        "model_instance_shapes": [[1, 64], [1, 64]],
        "model_output_scales": [7],
        "model_input_scales": [7],
        "module_sizes": {
            "polycommit": [64, 64] if module == "polycommit" else [],
            "poseidon": (0, [int(module == "poseidon")]),
        },
        "required_lookups": [{"Sigmoid": {"scale": 128.0}}] * lookups,
        "required_range_checks": ranges,
        "version": "23.0.5",
    }
    return msgspec.convert(document, Settings)
