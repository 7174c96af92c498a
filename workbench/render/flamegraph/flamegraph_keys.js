// What people do: pointer, keys, the page's width, paper.

function pointed(event) {
  const box = event.target.closest && event.target.closest(".wf-box");
  if (box) return places.get(box);
  const corner = root.getBoundingClientRect();
  return width ? boxAt(event.clientX - corner.left, event.clientY - corner.top) : -1;
}

function focusBox(i) {
  const element = elements.get(i);
  if (!element) return;
  elements.get(focused).setAttribute("tabindex", "-1");
  focused = i;
  element.setAttribute("tabindex", "0");
  element.focus();
  showFocused();
}

function showFocused() {
  const i = focused;
  const element = elements.get(i);
  element.setAttribute("aria-label", [name(i).slice(0, 300), place(i).slice(0, 300), ...detailsOf(i)].filter(Boolean).join(", "));
  const box = element.firstChild;
  showTip(i, Number(box.getAttribute("x")), Number(box.getAttribute("y")) + ROW / 2);
}

chart.addEventListener("click", (event) => {
  const i = pointed(event);
  if (i >= 0) zoom(i);
});
chart.addEventListener("pointermove", (event) => {
  const i = pointed(event);
  if (i < 0) return hideTip();
  const corner = root.getBoundingClientRect();
  showTip(i, event.clientX - corner.left, event.clientY - corner.top);
});
chart.addEventListener("pointerleave", hideTip);
chart.addEventListener("focusout", hideTip);
chart.addEventListener("focusin", (event) => {
  const box = event.target.closest(".wf-box");
  if (!box) return;
  const i = places.get(box);
  if (i !== focused) {
    elements.get(focused).setAttribute("tabindex", "-1");
    box.setAttribute("tabindex", "0");
    focused = i;
  }
  if (box.matches(":focus-visible") && tipFrame.style.display === "none") showFocused();
});
input.addEventListener("input", () => search(input.value));
clear.addEventListener("click", () => {
  clearSearch();
  input.focus();
});
reset.addEventListener("click", () => {
  zoom(0);
  elements.get(0).focus();
});
icicle.addEventListener("click", () => turn(!state.icicle));
selfTime.addEventListener("click", () => colourOwn(!state.own));
byThread.addEventListener("click", () => show(1 - viewIndex));

function move(key) {
  const toChild = key === (state.icicle ? "ArrowDown" : "ArrowUp");
  if (toChild) {
    if (focused < state.zoomed) return focusBox(drawn[drawn.indexOf(focused) + 1]);
    let widest = -1;
    for (let i = focused + 1; i < end[focused]; i = end[i])
      if (elements.has(i) && (widest < 0 || view.total[i] > view.total[widest])) widest = i;
    return focusBox(widest);
  }
  if (key === "ArrowUp" || key === "ArrowDown") return focusBox(parent[focused]);
  const level = drawn.filter((i) => view.depth[i] === view.depth[focused]);
  if (key === "Home") return focusBox(level[0]);
  if (key === "End") return focusBox(level[level.length - 1]);
  return focusBox(level[level.indexOf(focused) + (key === "ArrowRight" ? 1 : -1)]);
}

function press(key) {
  if (/^(Arrow|Home|End)/.test(key)) move(key);
  else if (key === "Enter" || key === " ") zoom(focused);
  else if (key === "Backspace" && state.zoomed > 0) zoom(parent[state.zoomed]);
  else if (key === "i") turn(!state.icicle);
  else if (key === "o" && isChange) colourOwn(!state.own);
  else if (key === "t" && data.views.length > 1) show(1 - viewIndex);
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  // Several flame graphs may share the page: a key is for the one that has the focus or the pointer.
  const active = document.activeElement;
  const inside = root.contains(active) && active !== root;
  const typing = active && (/^(input|textarea|select)$/i.test(active.localName) || active.isContentEditable);
  if (!standalone && !inside && !(root.matches(":hover") && !typing)) return;
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  const find = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f" && (standalone || inside);
  if (find || (event.key === "/" && !typing && !modified)) {
    input.focus();
    input.select();
  } else if (event.key === "Escape") {
    if (active === input) {
      clearSearch();
      elements.get(focused).focus({ preventScroll: true });
      hideTip();
    } else if (state.zoomed !== 0) zoom(0);
    else clearSearch();
  } else if (modified || !chart.contains(active) || !press(event.key)) return;
  event.preventDefault();
});

// On paper stands the flame graph for viewers without scripts: light, whole, at its own proportions.
const live = [headFrame, chart, footer, tipFrame];
const deadBox = root.getAttribute("viewBox");

function print(begins) {
  if (begins === still.isConnected) return;
  if (begins) {
    for (const part of live) part.remove();
    root.append(still);
    root.removeAttribute("height");
    root.setAttribute("viewBox", deadBox);
  } else {
    still.remove();
    root.append(...live);
    layOut();
  }
}

hideTip();
drawLegend();
for (const [toggle, pressed] of [[icicle, state.icicle], [selfTime, false], [byThread, view.name === "by thread"]])
  toggle.setAttribute("aria-pressed", pressed);
root.append(...live);
root.setAttribute("role", "group");
layOut();
still.remove(); // where anything above failed, the static flame graph stays
started = true;
if (location.hash.length > 1) restore();
addEventListener("popstate", restore);
addEventListener("hashchange", restore);
addEventListener("beforeprint", () => print(true));
addEventListener("afterprint", () => print(false));
const paper = matchMedia("print");
paper.addEventListener("change", () => print(paper.matches));
new ResizeObserver(() => {
  if (Math.abs(root.getBoundingClientRect().width - width) > 0.5) layOut();
}).observe(root);
