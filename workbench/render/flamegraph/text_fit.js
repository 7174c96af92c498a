// Text cut to fit.

// Returns fit(text, room, bold): the text, the part of it that fits with an ellipsis, or nothing.
// ASCII is counted in monospace cells, which is quick; other letters may be wider and are measured.
export function fitter(chart, fontSize) {
  const ascii = /^[ -~]*$/;
  const { fontFamily } = getComputedStyle(chart);
  const brush = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas").getContext("2d");
  const probe = chart.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "text"));
  probe.textContent = "M".repeat(50);
  const cell = [400, 600].map((weight) => {
    probe.style.fontWeight = weight;
    return probe.getComputedTextLength() / 50 || 0.61 * fontSize;
  });
  probe.remove();

  const dots = [0, 1].map((bold) => Math.max(measure("…", bold), cell[bold]));

  function measure(text, bold) {
    if (ascii.test(text)) return text.length * cell[bold];
    brush.font = (bold ? "600 " : "400 ") + fontSize + "px " + fontFamily;
    return 1.04 * brush.measureText(text).width + 1;
  }

  return function fit(text, room, isBold) {
    const bold = Number(isBold);
    if (room < 2 * cell[bold]) return "";
    const head = text.slice(0, 2 * Math.ceil(room / cell[bold]) + 200);
    if (head === text && measure(text, bold) <= room) return text;
    if (ascii.test(head)) {
      const kept = Math.floor((room - dots[bold]) / cell[bold]);
      return kept > 1 ? head.slice(0, kept) + "…" : "";
    }
    const letters = Array.from(head); // whole code points
    let low = 0;
    let high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (measure(letters.slice(0, middle).join("") + "…", bold) <= room) low = middle;
      else high = middle - 1;
    }
    return low > 1 ? letters.slice(0, low).join("") + "…" : "";
  };
}
