// A scale from time to device pixels: x = (time - at) * k + b. `at` is a whole number of nanoseconds, so that nothing
// is lost far from zero. b is such that time zero stands between two pixels: then panning moves columns as they are.
export function scaleOf(view, across, ratio) {
  const k = (across * ratio) / view.span;
  let b = -view.off * k;
  const zero = b - view.at * k;
  if (Math.abs(zero) < 1e9) b += Math.round(zero) - zero;
  return { k, b, at: view.at, from: view.at - b / k, to: view.at + (across * ratio - b) / k };
}

export const place = (scale, time) => (time - scale.at) * scale.k + scale.b;
