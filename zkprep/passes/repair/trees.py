"""Ensembles of decision trees as three products: comparisons, leaves, what the leaves hold.

With c(i) = 1 where inner node i of any tree goes to its true side, and 0 where not,
    d(l) = 1 + (sum of c over true edges - number of true edges - sum of c over false edges)
along the path to leaf l is 1 for the leaf that is reached and at most 0 for every other one: each
edge that is not taken costs 1. So Relu(d) picks one leaf of each tree, and
    y = Relu(c P + b) V + base.
Sources: ONNX, TreeEnsembleRegressor and TreeEnsembleClassifier; the GEMM form of Hummingbird
(Nakandala et al., OSDI 2020), whose test of equality is a Relu here.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from zkprep.passes.repair.draft import Array, Draft

Key = tuple[int, int]
_FLOAT = ir.DataType.FLOAT
_COMPARE = {
    "BRANCH_LEQ": "LessOrEqual",
    "BRANCH_LT": "Less",
    "BRANCH_GTE": "GreaterOrEqual",
    "BRANCH_GT": "Greater",
}
LARGEST = 2**22
"""Most inner nodes times leaves: the product between them holds as many numbers."""


def regressor_of_trees(node: ir.Node, data: ir.Value, draft: Draft) -> ir.Value | str:
    """The sums of a TreeEnsembleRegressor on `data`, or why they cannot be written out."""
    aggregate = node.attributes.get_string("aggregate_function", "SUM")
    if aggregate not in ("SUM", "AVERAGE"):
        return f"it aggregates by {aggregate}"
    share = 1.0 if aggregate == "SUM" else 1.0 / len(set(_ints(node, "nodes_treeids")))
    count = node.attributes.get_int("n_targets", 1)
    return _summed(node, data, draft, "target", share * np.eye(count), np.zeros(count))


def classifier_of_trees(node: ir.Node, data: ir.Value, draft: Draft) -> ir.Value | str:
    """The scores of a TreeEnsembleClassifier on `data`, or why they cannot be written out.

    Of two classes one gets the votes v; the scores are (1 - v, v) if no vote is negative, else
    (-v, v), as ONNX Runtime has it.
    """
    labels = len(_ints(node, "classlabels_int64s")) or len(
        node.attributes.get_strings("classlabels_strings", ())
    )
    voted = set(_ints(node, "class_ids"))
    if labels != 2:
        if len(voted) != labels:
            return "its trees do not vote for each class"
        return _summed(node, data, draft, "class", np.eye(labels), np.zeros(labels))
    if len(voted) > 1:
        return "its trees vote for both of two classes, which runtimes count differently"
    positive = min(node.attributes.get_floats("class_weights", ()), default=0.0) >= 0
    if positive and node.attributes.get_string("post_transform", "NONE") != "NONE":
        return "its votes are shares of one already, and transformed"
    both, shift = np.array([[-1.0, 1.0]]), np.array([float(positive), 0.0])
    return _summed(node, data, draft, "class", both, shift)


def _summed(
    node: ir.Node, data: ir.Value, draft: Draft, what: str, mix: Array, shift: Array
) -> ir.Value | str:
    """What the leaves hold for each output, and the base, times `mix` and plus `shift`."""
    count = len(mix)
    modes = [str(mode) for mode in node.attributes.get_strings("nodes_modes", ())]
    kinds = {mode for mode in modes if mode != "LEAF"}
    if len(kinds) != 1 or not kinds <= set(_COMPARE):
        return f"its nodes compare by {', '.join(sorted(kinds)) or 'nothing'}"
    keys = [*zip(_ints(node, "nodes_treeids"), _ints(node, "nodes_nodeids"), strict=True)]
    inner = [i for i, mode in enumerate(modes) if mode != "LEAF"]
    ends = [key for key, mode in zip(keys, modes, strict=True) if mode == "LEAF"]
    if len(inner) * len(ends) > LARGEST:
        return f"it has {len(inner)} inner nodes and {len(ends)} leaves"
    held = _held(node, what, ends, count)
    base = np.asarray(node.attributes.get_floats("base_values", ()) or np.zeros(count))
    if held is None or base.size != count:
        return "a leaf or the base has no value for some output, and runtimes differ on that"
    chosen = draft.gather(data, 1, np.asarray(_ints(node, "nodes_featureids"))[inner])
    limits = np.asarray(node.attributes.get_floats("nodes_values", ()))[inner]
    side = draft.op(_COMPARE[kinds.pop()], chosen, draft.constant("limits", limits, _FLOAT))
    taken = draft.op("Cast", side, to=int(_FLOAT))
    reached = draft.op("Relu", _affine(draft, taken, "paths", *_paths(node, keys, inner, ends)))
    return _affine(draft, reached, "leaves", held @ mix, base @ mix + shift)


def _held(node: ir.Node, what: str, ends: Sequence[Key], count: int) -> Array | None:
    """V [leaves, outputs]; None where an output has no tree with a value for it at each leaf."""
    columns = np.asarray(_ints(node, f"{what}_ids")) * (count > 1)
    places = zip(_ints(node, f"{what}_treeids"), _ints(node, f"{what}_nodeids"), strict=True)
    row = {key: index for index, key in enumerate(ends)}
    where = np.array([row[key] for key in places]), columns
    held, named = np.zeros((len(ends), count)), np.zeros((len(ends), count), bool)
    np.add.at(held, where, node.attributes.get_floats(f"{what}_weights", ()))
    named[where] = True
    trees = np.array([tree for tree, _ in ends])
    whole = [named[trees == tree].all(0) for tree in np.unique(trees)]
    return held if np.any(whole, 0).all() else None


def _paths(
    node: ir.Node,
    keys: Sequence[Key],
    inner: Sequence[int],
    ends: Sequence[Key],
) -> tuple[Array, Array]:
    """P [inner nodes, leaves] and b [leaves]."""
    paths, shift = np.zeros((len(inner), len(ends))), np.ones(len(ends))
    row = {keys[i]: n for n, i in enumerate(inner)}
    parent: dict[Key, tuple[Key, int]] = {}
    for sign, role in ((1, "true"), (-1, "false")):
        children = _ints(node, f"nodes_{role}nodeids")
        parent.update({(keys[i][0], children[i]): (keys[i], sign) for i in inner})
    for column, leaf in enumerate(ends):
        one = leaf
        for _ in inner:  # no path is longer
            if one not in parent:
                break
            one, sign = parent[one]
            paths[row[one], column] = sign
            shift[column] -= sign == 1
    return paths, shift


def _affine(draft: Draft, data: ir.Value, role: str, kernel: Array, shift: Array) -> ir.Value:
    weight = draft.constant(role, kernel, _FLOAT)
    return draft.op("Gemm", data, weight, draft.constant(f"{role}_shift", shift, _FLOAT))


def _ints(node: ir.Node, name: str) -> tuple[int, ...]:
    return tuple(node.attributes.get_ints(name, ()))
