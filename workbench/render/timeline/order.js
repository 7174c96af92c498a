// Where a value is in a column that ascends.

// Returns the first index in [from, to) of an ascending column whose value is at least (or above) a value, or `to`.
export function firstAtLeast(column, value, from, to) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (column[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

export function firstAbove(column, value, from, to) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (column[middle] <= value) from = middle + 1;
    else to = middle;
  }
  return from;
}

// The same as firstAtLeast, quicker where the answer is near `from`.
export function gallop(column, value, from, to) {
  let step = 1;
  while (from + step < to && column[from + step] < value) step *= 2;
  return firstAtLeast(column, value, from + (step >> 1), Math.min(from + step, to));
}
