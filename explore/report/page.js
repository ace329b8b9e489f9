"use strict";
// Steps through the traces. Everything from the trace is set as text, never as HTML.
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const scrubber = $("scrubber");
  const open = new Set(); // the items whose details are open
  let view = 0;
  let row = data.begin; // from 1; 0 is the start

  function element(name, className, ...children) {
    const e = document.createElement(name);
    if (className) e.className = className;
    e.append(...children);
    return e;
  }

  // contents returns the items after n rows, by place and name, and those that the
  // last of these rows changed, with what they were before.
  function contents(trace, n) {
    const key = (item) => item.place + " " + item.name;
    const items = new Map(trace.initial.map((item) => [key(item), item]));
    const before = new Map();
    for (let i = 0; i < n; i++) {
      for (const item of trace.rows[i].changes) {
        if (i === n - 1) before.set(key(item), items.get(key(item)));
        if (item.gone) items.delete(key(item));
        else items.set(key(item), item);
      }
    }
    const all = [...items.entries()].map(([k, item]) => ({ key: k, item, changed: before.has(k), was: before.get(k) }));
    for (const [k, was] of before) if (!items.has(k)) all.push({ key: k, item: was, changed: true, gone: true, was });
    return all.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  const full = (text) => text.full || text.brief;

  // columns returns the members of a JSON object, or null if the text is none.
  function columns(text) {
    try {
      const o = JSON.parse(full(text));
      return o && typeof o === "object" && !Array.isArray(o) ? o : null;
    } catch {
      return null;
    }
  }

  function showItem({ key, item, changed, gone, was }) {
    const e = element("div", "item");
    const now = columns(item.value);
    const old = was && columns(was.value);
    const differs = (name) => changed && old && now && JSON.stringify(old[name]) !== JSON.stringify(now[name]);
    if (changed) {
      e.classList.add("changed");
      e.append(element("span", "tag", gone ? "deleted" : was ? "changed" : "new"));
    }
    e.append(element("span", "key", item.name), " ", element(gone ? "del" : "span", "value", item.value.brief));
    if (changed && was && !gone) {
      const names = now && old ? [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(differs) : [];
      for (const name of names) {
        const show = (o) => (Object.hasOwn(o, name) ? JSON.stringify(o[name]) : "-");
        e.append(element("span", "delta", name + " ", element("del", "", show(old)), " → ", element("ins", "", show(now))));
      }
      if (!names.length && full(was.value) !== full(item.value)) e.append(element("span", "delta", "was ", element("del", "", was.value.brief)));
      if (was.note !== item.note) e.append(element("span", "delta", "was ", element("del", "", was.note || "-")));
    }
    if (item.note) e.append(element("span", "hint", " " + item.note));
    if (now && item.value.full) {
      const rows = Object.entries(now).map(([name, value]) => {
        const shown = JSON.stringify(value);
        return element("tr", "", element("th", "", name), element("td", "", differs(name) ? element("ins", "", shown) : shown));
      });
      e.append(details(key, element("table", "columns", element("tbody", "", ...rows))));
    } else if (item.value.full) {
      e.append(details(key, element("pre", "", item.value.full)));
    }
    return e;
  }

  function details(key, content) {
    const d = element("details", "", element("summary", "", "in full"), content);
    d.open = open.has(key);
    d.addEventListener("toggle", () => (d.open ? open.add(key) : open.delete(key)));
    return d;
  }

  function show() {
    const trace = data.traces[view];
    const n = trace.rows.length;
    row = Math.max(0, Math.min(row, n));
    const items = contents(trace, row);
    $("places").replaceChildren(
      ...data.places.map((name, place) => {
        const held = items.filter((i) => i.item.place === place).map(showItem);
        const section = element("section", "place", element("h3", "", name), ...(held.length ? held : [element("p", "", "empty")]));
        section.setAttribute("aria-label", name);
        return section;
      }),
    );
    const s = trace.rows[row - 1];
    const now = $("now");
    if (s) {
      now.replaceChildren(element("strong", "", `Step ${s.number} of ${trace.steps}`), ` ${s.task}: `, element("code", "", s.request.brief));
      if (s.reply.brief) now.append(" → ", element("code", "", s.reply.brief));
      if (s.fatal) now.append(". The violation stands from here: " + s.fatal);
    } else {
      now.replaceChildren(element("strong", "", "The start"), ", before the first step");
    }
    $("full").hidden = !(s && (s.request.full || s.reply.full));
    $("full-text").textContent = s ? full(s.request) + "\n→ " + full(s.reply) : "";
    scrubber.max = n;
    scrubber.value = row;
    scrubber.setAttribute("aria-valuetext", now.textContent);
    for (const e of document.querySelectorAll("[data-trace]")) e.hidden = Number(e.dataset.trace) !== view;
    for (const e of document.querySelectorAll("[data-row]")) {
      const of = Number(e.dataset.row);
      e.classList.toggle("current", of === row);
      e.classList.toggle("later", of > row);
      if (of === row) e.setAttribute("aria-current", "step");
      else e.removeAttribute("aria-current");
    }
    for (const e of document.querySelectorAll("[data-view]")) e.setAttribute("aria-pressed", Number(e.dataset.view) === view);
    $("first").disabled = $("back").disabled = row === 0;
    $("last").disabled = $("next").disabled = row === n;
  }

  function go(to) {
    row = to;
    show();
  }

  const end = () => data.traces[view].rows.length;
  $("first").addEventListener("click", () => go(0));
  $("back").addEventListener("click", () => go(row - 1));
  $("next").addEventListener("click", () => go(row + 1));
  $("last").addEventListener("click", () => go(end()));
  scrubber.addEventListener("input", () => go(Number(scrubber.value)));
  for (const tr of document.querySelectorAll("tr[data-row]")) tr.addEventListener("click", () => go(Number(tr.dataset.row)));
  for (const b of document.querySelectorAll("[data-view]")) {
    b.addEventListener("click", () => {
      view = Number(b.dataset.view);
      show();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.target === scrubber || event.target.closest(".diagram")) return; // they have keys of their own
    const to = { ArrowRight: row + 1, ArrowLeft: row - 1, Home: 0, End: end() }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
  show();
})();
