// The status line, and small conveniences of forms. What the panel says is put in place as text,
// never as markup. Without this file every page still works.
"use strict";

(() => {
  const EVERY_MS = 3000, BUSY_MS = 500, AFTER_TROUBLE_MS = 10000;

  const part = ({ text, level, url }) => {
    const link = document.createElement("a");
    link.className = `wp-part wp-${level}`;
    link.href = url;
    link.textContent = text;
    return link;
  };

  const unchanged = (line, parts) =>
    line.children.length === parts.length &&
    parts.every(({ text, level }, i) =>
      line.children[i].textContent === text && line.children[i].classList.contains(`wp-${level}`));

  // -- the status line, and how far an edit has come ----------------------------------------------
  const watch = (line) => {
    const edits = [...document.querySelectorAll(".wp-edit[data-revision]")].slice(0, 10);
    const open = () => edits.filter((link) => link.dataset.level !== "good");

    const ask = async () => {
      const query = open().map((link) => `edit=${encodeURIComponent(link.dataset.revision)}`);
      const answer = await fetch(`${line.dataset.url}?${query.join("&")}`, {
        credentials: "same-origin", redirect: "manual", headers: { Accept: "application/json" },
      });
      if (answer.type === "opaqueredirect" || answer.status === 403) {
        line.replaceChildren(part({ text: line.dataset.loggedOut, level: "bad", url: "" }));
        return null;
      }
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { parts, edits: states } = await answer.json();
      if (!unchanged(line, parts)) line.replaceChildren(...parts.map(part));
      for (const link of open()) {
        const state = states[link.dataset.revision];
        if (!state) continue;
        link.textContent = state.text;
        link.href = state.url;
        link.dataset.level = state.level;
      }
      const busy = parts.some(({ level }) => level === "busy") ||
        open().some((link) => link.dataset.level !== "bad");
      return busy ? BUSY_MS : EVERY_MS;
    };

    let since = Date.now();
    const again = async () => {
      if (document.hidden) {
        document.addEventListener("visibilitychange", again, { once: true });
        return;
      }
      let pause;
      try {
        pause = await ask();
      } catch {
        line.replaceChildren(part({ text: line.dataset.gone, level: "bad", url: "" }));
        pause = AFTER_TROUBLE_MS;
      }
      if (pause === BUSY_MS && Date.now() - since > 60000) pause = EVERY_MS;
      if (pause !== null) setTimeout(again, pause);
    };
    again();
  };

  // -- parameters: what the chosen one does -------------------------------------------------------
  const about = (box) => {
    const value = document.getElementById("id_value");
    const at = (name) => box.querySelector(`[data-about="${name}"]`);
    const labels = box.dataset.labels.split("|");

    box.addEventListener("click", (event) => {
      const word = event.target.closest("[data-value]");
      if (word && value) value.value = word.dataset.value;
    });
    const show = async (name) => {
      const answer = await fetch(`${box.dataset.url}?name=${encodeURIComponent(name)}`);
      if (!answer.ok) return;
      const known = await answer.json();
      box.hidden = !known.help;
      if (box.hidden) return;
      at("help").textContent = known.help;
      at("type").textContent = known.type;
      at("default").textContent = known.machine ? labels[3] : known.default || labels[2];
      at("differs").textContent = known.differs;
      at("words-label").hidden = !known.words.length;
      at("words").replaceChildren(...known.words.map((word) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "wp-word";
        button.dataset.value = word;
        button.textContent = word;
        return button;
      }));
    };
    const name = document.getElementById("id_name");
    const jquery = window.django && window.django.jQuery;
    if (name && jquery && jquery.fn.select2) {
      // A name may also be written, for a parameter of one transport: known names come first.
      const insertTag = (known, written) => known.push(written);
      window.addEventListener("load", () => jquery(name).select2({ tags: true, insertTag }));
      jquery(name).on("change", () => show(name.value));
    }
  };

  // -- restriction lists: what each member does ---------------------------------------------------
  const restrictions = (data) => {
    const helps = JSON.parse(data.textContent);
    const hint = (select) => {
      const cell = select.closest("td") || select.parentElement;
      let place = cell.querySelector(".wp-hint");
      if (!place) {
        place = document.createElement("p");
        place.className = "wp-hint";
        (select.parentElement || cell).after(place);
      }
      place.textContent = helps[select.value] || "";
    };
    const named = 'select[name^="members-"][name$="-name"]';
    document.querySelectorAll(named).forEach(hint);
    document.addEventListener("change", (event) => {
      if (event.target.matches(named)) hint(event.target);
    });
  };

  // -- passwords, and copying ---------------------------------------------------------------------
  const LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

  const generated = () => {
    const drawn = new Uint32Array(20); // 20 of 57 letters: 116 bits
    crypto.getRandomValues(drawn);
    return [...drawn].map((number) => LETTERS[number % LETTERS.length]).join("");
  };

  const generator = (field) => {
    const button = document.createElement("button");
    const said = document.createElement("span");
    const line = document.createElement("p");
    button.type = "button";
    button.className = "wp-word";
    button.textContent = field.dataset.generateLabel || "Generate";
    said.className = "wp-generated";
    button.addEventListener("click", () => {
      const password = generated();
      const second = document.getElementById(field.dataset.generate);
      for (const each of [field, second]) if (each) each.value = password;
      said.textContent = password;
    });
    line.style.marginTop = ".5rem";
    line.append(button, said);
    (field.closest("[data-field]") || field.parentElement).after(line);
  };

  const copier = (button) => {
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = button.dataset.copied;
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const line = document.getElementById("wp-status");
    if (line) watch(line);
    const box = document.getElementById("wp-about");
    if (box) about(box);
    const data = document.getElementById("wp-restrictions");
    if (data) restrictions(data);
    document.querySelectorAll("[data-generate]").forEach(generator);
    document.querySelectorAll("[data-copy]").forEach(copier);
  });
})();
