// Stoa works without this file; it saves clicks and keeps the focus where it belongs. Nothing here evaluates text.
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  // ---- theme: the cookie lets the server render the right theme at once --------------------------------------------
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const showTheme = () => all("[data-theme-toggle]").forEach((b) => b.setAttribute("aria-pressed", String(dark())));
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    showTheme();
  };

  // ---- dialogs -----------------------------------------------------------------------------------------------------
  const openers = new WeakMap();
  const firstField = (dialog) =>
    dialog.querySelector("[aria-invalid=true]") ||
    dialog.querySelector("[autofocus]") ||
    dialog.querySelector("input:not([type=hidden]):not([disabled]), select:not([disabled]), textarea:not([disabled])") ||
    dialog.querySelector("footer button, footer a");
  const show = (dialog, opener) => {
    if (dialog.open) dialog.close();
    dialog.showModal();
    if (opener) openers.set(dialog, opener);
    firstField(dialog)?.focus();
  };
  // One dialog serves every row of a list: the opener carries what differs as data-set-… attributes.
  const fill = (dialog, opener) => {
    const form = dialog.querySelector("form");
    if (opener.dataset.setAction && form) form.action = opener.dataset.setAction;
    all("[data-slot]", dialog).forEach((slot) => {
      const value = opener.dataset["set" + slot.dataset.slot[0].toUpperCase() + slot.dataset.slot.slice(1)];
      if (value === undefined) return;
      if ("confirmName" in slot.dataset) {
        slot.dataset.confirmName = value;
        slot.value = "";
        confirmName(slot);
      } else if ("value" in slot) slot.value = value;
      else slot.textContent = value;
    });
  };
  const confirmName = (field) => {
    const button = field.form?.querySelector("[data-confirmed]");
    if (button) button.disabled = field.value.trim() !== field.dataset.confirmName;
  };

  // A dialog with something to read first lies on a page of its own; it is shown here, and the page where that fails.
  const openFrom = async (link) => {
    const id = link.dataset.openFrom;
    try {
      const answer = await fetch(link.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const dialog = answer.ok && page.getElementById(id);
      if (!dialog) throw new Error(answer.status);
      document.getElementById(id)?.remove();
      dialog.removeAttribute("open");
      document.getElementById("main").append(document.adoptNode(dialog));
      ready(dialog);
      show(dialog, link);
    } catch {
      location.assign(link.href);
    }
  };

  // ---- rows of the add-members dialog -------------------------------------------------------------------------------
  const countRows = (form) => {
    const label = form.querySelector("[data-row-count]");
    if (!label) return;
    const filled = all("[data-row] input", form).filter((i) => i.value.trim() !== "").length;
    label.textContent = filled > 1 ? label.dataset.many.replace("#", filled) : label.dataset.one;
    all("[data-remove-row]", form).forEach((b, _, list) => (b.disabled = list.length === 1));
  };
  const addRow = (button) => {
    const form = button.closest("form");
    const rows = all("[data-row]", form);
    const last = rows[rows.length - 1];
    const row = last.cloneNode(true);
    all("[data-row-note]", row).forEach((note) => note.remove());
    all("input", row).forEach((input) => {
      input.value = "";
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    });
    last.after(row);
    row.querySelector("input").focus();
    countRows(form);
  };
  const removeRow = (button) => {
    const form = button.closest("form");
    const row = button.closest("[data-row]");
    if (all("[data-row]", form).length === 1) return;
    const next = row.nextElementSibling?.matches("[data-row]") ? row.nextElementSibling : row.previousElementSibling;
    row.remove();
    next?.querySelector("input")?.focus();
    countRows(form);
  };

  // ---- project picker: the list shows only where a choice is to be made ---------------------------------------------
  const pickMode = (picker) => {
    const mode = picker.querySelector("[data-mode]:checked")?.value ?? "all";
    const list = picker.querySelector("[data-project-list]");
    if (list) list.hidden = mode === "all";
    all("[data-list-label]", picker).forEach((label) => (label.hidden = label.dataset.listLabel !== mode));
    const future = picker.querySelector("[data-future]");
    if (future) {
      future.hidden = mode === "selected";
      all("input", future).forEach((i) => (i.disabled = mode === "selected"));
    }
  };

  // ---- messages ------------------------------------------------------------------------------------------------------
  const toast = (text, tone = "ok") => {
    const place = document.getElementById("toasts");
    if (!place) return;
    const box = document.createElement("div");
    box.className = `toast ${tone}`;
    box.textContent = text;
    place.append(box);
    setTimeout(() => box.remove(), 6000);
  };
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = source.value ?? source.textContent.trim();
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      toast("Press Ctrl+C to copy the marked text.", "info");
    }
  };

  const filterList = (input) => {
    const words = input.value.trim().toLowerCase();
    all("[data-filter-item]", document.getElementById(input.dataset.filter)).forEach((item) => {
      item.hidden = words !== "" && !item.textContent.toLowerCase().includes(words);
    });
  };

  // ---- suggestions while typing: a combobox with its list; the form around it works without -------------------------
  const suggesting = new WeakMap();
  const suggestion = (field) => suggesting.get(field)?.list.querySelector("[aria-selected=true]");
  const closeSuggestions = (field) => {
    const state = suggesting.get(field);
    if (!state) return;
    clearTimeout(state.timer);
    state.asked?.abort();
    state.list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (field, option) => {
    all("[role=option]", suggesting.get(field).list).forEach((one) => one.setAttribute("aria-selected", String(one === option)));
    if (option) {
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else field.removeAttribute("aria-activedescendant");
  };
  const wireSuggestions = (field) => {
    const list = document.createElement("div");
    list.className = "suggest";
    list.id = `${field.id}-list`;
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    // A click on the list leaves the focus in the field.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) location.assign(option.dataset.href);
    });
    field.closest(".search").append(list);
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-expanded", "false");
    field.setAttribute("aria-controls", list.id);
    field.addEventListener("blur", () => closeSuggestions(field));
    suggesting.set(field, { list });
  };
  const showSuggestions = async (field) => {
    const state = suggesting.get(field);
    state.asked = new AbortController();
    try {
      const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(field.value)}`, {
        headers: { accept: "text/html" },
        signal: state.asked.signal,
      });
      const page = new DOMParser().parseFromString(answer.ok ? await answer.text() : "", "text/html");
      const options = all("[role=option]", page);
      options.forEach((option, index) => (option.id = `${state.list.id}-${index}`));
      if (options.length === 0 || document.activeElement !== field) return closeSuggestions(field);
      state.list.replaceChildren(...options);
      state.list.hidden = false;
      field.setAttribute("aria-expanded", "true");
      choose(field, null);
    } catch {
      closeSuggestions(field);
    }
  };
  const typed = (field) => {
    if (!suggesting.has(field)) wireSuggestions(field);
    const state = suggesting.get(field);
    clearTimeout(state.timer);
    state.asked?.abort();
    if (field.value.trim().length < 2) closeSuggestions(field);
    else state.timer = setTimeout(() => showSuggestions(field), 150);
  };
  const suggestionKey = (event) => {
    const field = event.target;
    const state = suggesting.get(field);
    if (!state || event.isComposing) return;
    if (state.list.hidden) {
      if (event.key === "ArrowDown" && field.value.trim().length > 1) {
        event.preventDefault();
        showSuggestions(field);
      }
      // What is asked for meanwhile is not shown over the results.
      if (event.key === "Enter") closeSuggestions(field);
      return;
    }
    const options = all("[role=option]", state.list);
    const now = options.indexOf(suggestion(field));
    if (event.key === "ArrowDown") choose(field, options[now + 1] ?? null);
    else if (event.key === "ArrowUp") choose(field, options[now === -1 ? options.length - 1 : now - 1] ?? null);
    else if (event.key === "Escape") closeSuggestions(field);
    else if (event.key === "Enter") {
      const option = suggestion(field);
      closeSuggestions(field);
      if (!option) return;
      location.assign(option.dataset.href);
    } else return;
    event.preventDefault();
  };

  // ---- one listener a kind of event; content swapped in later needs no wiring ---------------------------------------
  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest?.(selector);
    let target;
    if ((target = hit("[data-open-from]"))) {
      if (event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      openFrom(target);
    } else if ((target = hit("[data-open]"))) {
      const dialog = document.getElementById(target.dataset.open);
      if (!dialog || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      fill(dialog, target);
      show(dialog, target);
    } else if ((target = hit("[data-close]"))) {
      const dialog = target.closest("dialog");
      if (!dialog) return;
      event.preventDefault();
      dialog.close();
    } else if (hit("[data-theme-toggle]")) setTheme(dark() ? "light" : "dark");
    else if ((target = hit("[data-add-row]"))) addRow(target);
    else if ((target = hit("[data-remove-row]"))) removeRow(target);
    else if ((target = hit("[data-copy]"))) copy(target);
    else if ((target = hit("[data-dismiss]"))) target.closest("[data-flash]")?.remove();
    else if ((target = hit("[data-check-all]"))) {
      event.preventDefault();
      const on = target.dataset.checkAll === "on";
      all("input[type=checkbox]", target.closest("[data-project-list]")).forEach((box) => {
        if (!box.closest("[data-filter-item]")?.hidden) box.checked = on;
      });
    } else if (event.target.matches?.("dialog:modal")) {
      const box = event.target.getBoundingClientRect();
      const inside =
        event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      // Only a click on the backdrop of a dialog without anything typed closes it: typed text is never lost by a slip.
      const typed = all("input:not([type=hidden]), textarea", event.target).some((i) => i.value !== i.defaultValue);
      if (!inside && !typed && event.detail > 0) event.target.close();
    }
    all("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("close", (event) => openers.get(event.target)?.focus(), true);
  document.addEventListener("input", (event) => {
    const field = event.target;
    if ("confirmName" in field.dataset) confirmName(field);
    if ("filter" in field.dataset) filterList(field);
    if ("suggest" in field.dataset) typed(field);
    const form = field.closest("form");
    if (field.closest("[data-row]") && form) countRows(form);
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    const picker = field.closest("[data-picker]");
    if (picker && "mode" in field.dataset) pickMode(picker);
    if ("autosubmit" in field.dataset) field.form.requestSubmit();
    if (field.type === "file" && field.dataset.fileName) {
      const label = document.getElementById(field.dataset.fileName);
      if (label && field.files.length) {
        label.textContent = Array.from(field.files, (f) => f.name).join(", ");
        const name = field.form.querySelector("[data-name-from-file]");
        if (name && name.value === "") name.value = field.files[0].name;
      }
    }
  });
  document.addEventListener("keydown", (event) => {
    if ("suggest" in (event.target.dataset ?? {})) suggestionKey(event);
    if (event.key === "Escape" && !event.defaultPrevented) {
      all("details.menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = all("[data-search]").find((field) => field.offsetParent !== null);
      if (search && !document.querySelector("dialog:modal")) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    }
  });
  // A form is sent once: the second click of a double click would be a second request.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    form.classList.add("sending");
  });
  addEventListener("pageshow", () => {
    all("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.classList.remove("sending");
    });
  });

  const ready = (from) => {
    all("[data-picker]", from).forEach(pickMode);
    all("[data-confirm-name]", from).forEach(confirmName);
    all("form", from).forEach((form) => form.querySelector("[data-row-count]") && countRows(form));
    all("[data-js]", from).forEach((part) => (part.hidden = false));
  };
  const start = () => {
    root.classList.add("js");
    showTheme();
    ready(document);
    const waiting = document.querySelector("dialog[open]");
    if (waiting) show(waiting, document.querySelector(`[data-open="${waiting.id}"]`));
    document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  document.addEventListener("htmx:after:swap", () => ready(document));
})();
