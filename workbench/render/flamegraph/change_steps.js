// Which step of the scale a change is: the same as step_of in colours.py, and as _step in difference.py.

const MIDDLE = 4;
const WAITING = 9;
const MIN_COMPARED = 0.01; // of all time: what has less on both sides is grey

export function stepOf(before, after) {
  if (before <= 0 || after <= 0) return before === after ? MIDDLE : after <= 0 ? 0 : 8;
  const ratio = after / before;
  if (ratio < 1) return 1 + (ratio > 0.5) + (ratio > 0.8) + (ratio > 0.95);
  return MIDDLE + (ratio >= 1.05) + (ratio >= 1.25) + (ratio >= 2);
}

// `sign` is 1 where a frame is known to take more, -1 less and 0 neither; null: nothing is known of noise.
// What is known to differ is coloured, however little it is, where a box changes as its frame does.
export function changeStep(before, after, all, sign, waits) {
  if (waits) return WAITING;
  if (Math.max(before, after) < MIN_COMPARED * all) return MIDDLE;
  const step = stepOf(before, after);
  if (sign === null) return step;
  if (!(sign * (after - before) > 0)) return MIDDLE;
  return step === MIDDLE ? step + sign : step;
}
