"""Finds the best place for a depot in a road network, by networkx.

workbench profile --summary docs/gallery/library.py
"""

import sys

import networkx as nx
import numpy as np

from workbench import scope


def roads(size, seed=1):
    """Return a grid of streets, each with its minutes."""
    graph, draw = nx.grid_2d_graph(size, size), np.random.default_rng(seed)
    for _, _, street in graph.edges(data=True):
        street["minutes"] = draw.exponential(3.0)
    return graph


def mean_minutes(graph):
    """Return how far all places are from each place, on average."""
    found = []
    for _, lengths in nx.all_pairs_dijkstra_path_length(graph, weight="minutes"):
        found.append(sum(lengths.values()) / len(graph))
    return np.array(found)


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 36
    with scope("make roads"):
        graph = roads(size)
    with scope("distances"):
        minutes = mean_minutes(graph)
    print(f"place {divmod(int(minutes.argmin()), size)}: {minutes.min():.1f} minutes on average")
