"use strict";
// Opens the trace that a link leads to, and all of them for the printer.
(function () {
  const open = () => document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((e) => e.setAttribute("open", "")));
  open();
})();
