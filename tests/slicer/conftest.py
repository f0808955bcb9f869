"""How hypothesis draws a graph for slicer: what `st.from_type(nx.DiGraph)` means in its tests."""

from itertools import combinations

import networkx as nx
from hypothesis import strategies as st

ELEMENTS = st.integers(0, 9)


@st.composite
def dags(draw: st.DrawFn) -> nx.DiGraph:
    """A small DAG whose names say nothing of its order, with every kind of tensor.

    Tensors with several readers, within a block or beyond; nodes with several outputs; edges
    without tensors; model inputs that several nodes read; model outputs that nodes read, too.
    Every node has two weights, often none of them above 0.
    """
    count = draw(st.integers(1, 5))
    nodes = draw(st.permutations("abcde"[:count]))
    graph = nx.DiGraph()
    for node in sorted(nodes):
        graph.add_node(node, weights=draw(st.tuples(st.integers(0, 5), st.integers(0, 2))))
    if count > 1:
        pairs = st.sampled_from(list(combinations(nodes, 2)))
        graph.add_edges_from(sorted(draw(st.sets(pairs, max_size=3))))
    for position, node in enumerate(nodes):
        for name in draw(st.sampled_from([(), ("t",), ("t", "u")])):
            tensor, elements = f"{name}.{node}", draw(ELEMENTS)
            later = nodes[position + 1 :]
            for reader in sorted(draw(st.sets(st.sampled_from(later)))) if later else ():
                graph.add_edge(node, reader)
                graph.edges[node, reader].setdefault("tensors", {})[tensor] = elements
            if draw(st.booleans()):
                graph.nodes[node].setdefault("writes", {})[tensor] = elements
    for name in ("x", "y"):
        elements = draw(ELEMENTS)
        for reader in sorted(draw(st.sets(st.sampled_from(nodes)))):
            graph.nodes[reader].setdefault("reads", {})[name] = elements
    return graph


st.register_type_strategy(nx.DiGraph, dags())
