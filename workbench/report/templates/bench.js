// The rows of a benchmark's table open to their distribution, flame graph and difference.

import "./tables.js";

for (const button of document.querySelectorAll(".variants button[aria-expanded]"))
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    button.closest("tbody").querySelector(".more").hidden = isOpen;
  });
