// What the scripts of charts and pages share: amounts for people, elements, and what a search matches.

export const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// By unit, what it is written in.
const SCALES = {
  ns: [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]],
  bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]],
};

// The factor and the name of the unit in which an amount reads best.
export const unitOf = (value, unit) => SCALES[unit].find(([factor]) => value >= 0.9995 * factor || factor === 1);

export function amount(value, unit) {
  if (value < 0) return "−" + amount(-value, unit);
  if (!SCALES[unit]) return (whole.format(value) + " " + unit).trim();
  const [factor, name] = unitOf(value, unit);
  const scaled = value / factor;
  if (factor === 1) return Math.round(scaled) + " " + name;
  return (scaled >= 999.5 ? whole.format(scaled) : Number(scaled.toPrecision(3))) + " " + name;
}

export function share(part, all) {
  const percent = all > 0 ? (100 * part) / all : 0;
  return (percent === 0 || percent >= 0.1 ? percent.toFixed(1) : Number(percent.toPrecision(2))) + " %";
}

export function svg(name, attributes, parentNode) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (parentNode) parentNode.appendChild(element);
  return element;
}

export function html(name, className, text, parentNode) {
  const element = document.createElementNS("http://www.w3.org/1999/xhtml", name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  if (parentNode) parentNode.appendChild(element);
  return element;
}

export function matcher(text) {
  const plain = text.toLowerCase();
  try {
    const pattern = new RegExp(text, "i");
    return (value) => pattern.test(value) || value.toLowerCase().includes(plain);
  } catch {
    return (value) => value.toLowerCase().includes(plain); // no regular expression: the text itself
  }
}

// The name of a frame for people: the code of a module says of which one. The same as frame_name in text_width.py.
export function frameName(name, place) {
  if (name !== "<module>" || !place) return name;
  const parts = place.replace(/:\d+$/, "").split(/[/\\]/);
  const file = parts.pop();
  return name + " " + (/^__\w+__\.py$/.test(file) && parts.length ? parts.pop() + "/" + file : file);
}
