// Nanoseconds as a column has them: three digits in any case, and the unit. The same as as_digits in text.py.

const group = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function digits(ns) {
  for (const [factor, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])
    if (ns >= 0.9995 * factor) {
      const value = ns / factor;
      return [value >= 99.95 ? group.format(value) : value.toFixed(value < 9.995 ? 2 : 1), unit];
    }
  return [String(Math.round(ns)), "ns"];
}
