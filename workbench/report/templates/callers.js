// Of each frame of a tree what it took, who called it and what it called: `neighbours` of workbench/profile/_callers.py
// again, for a part of the run that the reader has chosen.

export const NOBODY = -1;
export const SCOPE = 0; // the kind of frames that are scopes
export const REST = -2; // all that are not listed

// A tree has labels [name, place, kind, …] and the columns label, depth, total, self, calls, depth first; its root, at
// 0, is no frame. `keyOf` gives labels that are one frame the same key. What has a scope on top, among other kinds, is
// code of the function around it: that counts once more on top, as in `with_functions_on_top`.
export function framesOf(tree, keyOf) {
  const index = new Map();
  const frames = [];
  const group = tree.labels.map((label) => {
    const key = keyOf(label);
    if (!index.has(key)) {
      index.set(key, frames.length);
      frames.push([label[0], label[1], label[2], 0, 0, 0]);
    }
    return index.get(key);
  });
  const callers = frames.map(() => new Map());
  const callees = frames.map(() => new Map());
  const opened = frames.map(() => []); // depths at which a frame is on the path
  const path = [];
  const add = (split, other, took) => split.set(other, (split.get(other) || 0) + took);
  for (let i = 1; i < tree.label.length; i++) {
    const depth = tree.depth[i] - 1;
    while (path.length > depth) opened[path.pop()].pop();
    const mine = group[tree.label[i]];
    const took = tree.total[i];
    const below = depth > 0 ? path[depth - 1] : NOBODY;
    const around = frames[mine][2] === SCOPE ? path.findLast((each) => frames[each][2] !== SCOPE) : undefined;
    const top = around === undefined ? mine : around;
    frames[top][4] += tree.self[i];
    frames[top][5] += tree.calls[i];
    const outer = opened[mine][opened[mine].length - 1];
    if (outer === undefined) {
      frames[mine][3] += took;
      add(callers[mine], below, took);
    } else if (outer + 1 < depth) add(callees[mine], path[outer + 1], -took); // the outer one's callee had it
    if (below !== NOBODY && below !== mine) add(callees[below], mine, took);
    if (top !== mine) {
      add(callees[mine], top, tree.self[i]);
      add(callees[top], path[opened[top][opened[top].length - 1] + 1] ?? mine, -tree.self[i]); // it has that itself
    }
    opened[mine].push(depth);
    path.push(mine);
  }
  const ranked = (split) => [...split].filter(([, took]) => took !== 0).sort((a, b) => b[1] - a[1]);
  return { all: tree.total[0], frames, index, edges: frames.map((_, i) => [ranked(callers[i]), ranked(callees[i])]) };
}
