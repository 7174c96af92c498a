"""All distances by networkx, in Python, or by scipy.sparse.csgraph, compiled; both by Dijkstra's algorithm."""

import networkx as nx
from library import mean_minutes, roads
from scipy.sparse import csgraph

from workbench.bench import Case, Suite, axis

suite = Suite("library", baseline={"library": "networkx"})


def compiled(graph):
    return csgraph.dijkstra(nx.to_scipy_sparse_array(graph, weight="minutes")).mean(axis=1)


@suite.workload(library=axis("networkx", "scipy"))
def library(library, *, seed):
    graph = roads(14, seed)
    exact = compiled(graph)
    run = {"networkx": mean_minutes, "scipy": compiled}[library]
    return Case(
        run=lambda: run(graph),
        quality=lambda found: {"minutes more than the best": float(exact[found.argmin()] - exact.min())},
    )
