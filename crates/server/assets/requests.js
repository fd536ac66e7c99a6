// Requests by keyboard: j and k move, Enter opens, a approves, r rejects, q asks, ? shows the keys. Everything can also be
// done by the forms on the page; nothing here evaluates text.
(() => {
  "use strict";
  const list = document.querySelector("[data-triage]");
  if (!list) return;
  const all = () => Array.from(list.querySelectorAll("[data-request]"));
  const help = document.getElementById("dlg-keys");
  const KEY = "stoa-request-keys";
  const PLACE = "stoa-request-place";

  // Whoever types by voice or by accident can switch the keys off (WCAG 2.1.4).
  const remembered = (store, name) => {
    try {
      return store.getItem(name);
    } catch {
      return null;
    }
  };
  const remember = (store, name, value) => {
    try {
      if (value === null) store.removeItem(name);
      else store.setItem(name, value);
    } catch {
      // A browser that keeps nothing uses what stands here.
    }
  };
  let on = remembered(localStorage, KEY) !== "off";
  const box = document.querySelector("[data-keys-on]");
  if (box) {
    box.checked = on;
    box.addEventListener("change", () => {
      on = box.checked;
      remember(localStorage, KEY, on ? null : "off");
    });
  }
  document.querySelector("[data-keys-help]")?.addEventListener("click", () => help?.showModal());

  const current = () => {
    const requests = all();
    return requests.find((one) => one.contains(document.activeElement)) ?? (requests.length === 1 ? requests[0] : undefined);
  };
  const move = (by) => {
    const requests = all();
    const at = requests.findIndex((one) => one.contains(document.activeElement));
    const to = at < 0 ? (by > 0 ? 0 : requests.length - 1) : Math.min(Math.max(at + by, 0), requests.length - 1);
    requests[to]?.focus({ preventScroll: true });
    requests[to]?.scrollIntoView({ block: "nearest" });
  };
  // After a decision the page comes again; the request that stands at its place then has the focus.
  const leave = (request) => remember(sessionStorage, PLACE, `${location.pathname}${location.search}#${all().indexOf(request)}`);

  const dialog = (id, verb, request) => {
    const shown = document.getElementById(id);
    const form = shown?.querySelector("form");
    const decide = request.querySelector("[data-decide]");
    if (!form || !decide) return;
    form.action = `/requests/${request.id}/${verb}`;
    form.elements.back.value = decide.elements.back.value;
    form.elements.reason.value = decide.elements.reason.value;
    shown.querySelector("[data-what]").textContent = request.querySelector("[data-request-link]").textContent;
    form.onsubmit = () => leave(request);
    shown.showModal();
    form.elements.reason.focus();
  };
  const acts = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: (request) => request.querySelector("[data-request-link]").click(),
    a: (request) => {
      const button = request.querySelector("[data-approve]");
      if (!button) return;
      leave(request);
      button.form.requestSubmit(button);
    },
    r: (request) => dialog("dlg-reject", "reject", request),
    q: (request) => dialog("dlg-ask", "ask", request),
    "?": () => help?.showModal(),
  };
  const moves = ["j", "k", "ArrowDown", "ArrowUp", "?"];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog:modal")) return;
    const target = event.target;
    if (target.closest?.("input, textarea, select, [contenteditable]")) return;
    const act = Object.hasOwn(acts, event.key) ? acts[event.key] : undefined;
    if (!act || (!on && event.key !== "?")) return;
    // Enter on a link or button does what that says; arrows scroll until a request has the focus.
    if (event.key === "Enter" && !target.matches?.("[data-request]")) return;
    if (event.key.startsWith("Arrow") && !target.closest?.("[data-request]")) return;
    const request = current();
    if (!moves.includes(event.key) && !request) return;
    event.preventDefault();
    act(request);
  });

  const place = remembered(sessionStorage, PLACE);
  if (place) {
    remember(sessionStorage, PLACE, null);
    const [address, index] = place.split("#");
    const requests = all();
    if (address === location.pathname + location.search) requests[Math.min(Number(index), requests.length - 1)]?.focus();
  }
})();
