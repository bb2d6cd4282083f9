// The search: every word typed has to begin some word of a section; headings count for more, a heading
// that is just what was typed for most.
(() => {
  const up = document.body.dataset.up, input = document.getElementById("search"), found = document.getElementById("found");
  const MOST = 20;
  let entries = [], loading = null;

  // The index comes once, with the first look at the search, however fast someone types.
  function load() {
    return loading ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${up}/search-index.js`;
      script.onload = () => {
        entries = window.searchIndex.map(([place, page, heading, text]) => {
          const plain = (s) => ` ${s.toLowerCase().replace(/[^\p{L}\p{N}_.]+/gu, " ")} `;
          return { place, page, heading, text, inPage: plain(page), inHeading: plain(heading), inText: plain(text) };
        });
        done();
      };
      document.head.append(script);
    });
  }

  function score(entry, words) {
    let total = 0;
    for (const word of words) {
      const begins = ` ${word}`;
      const at = [entry.inHeading, entry.inPage, entry.inText].map((text) => text.split(begins).length - 1);
      if (!(at[0] + at[1] + at[2])) return 0;
      total += 12 * Math.min(at[0], 2) + 4 * Math.min(at[1], 1) + Math.min(at[2], 5);
    }
    return total + (entry.inHeading === ` ${words.join(" ")} ` ? 40 : 0);
  }

  // The words around the first hit, as text, with the hits marked.
  function snippet(text, words) {
    const lower = text.toLowerCase();
    const places = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0);
    const from = Math.max(0, Math.min(...(places.length ? places : [0])) - 40);
    const line = document.createElement("small");
    const shown = (from ? "… " : "") + text.slice(from, from + 170) + (from + 170 < text.length ? " …" : "");
    const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    shown.split(new RegExp(`(${escaped.join("|")})`, "gi")).forEach((part, i) => {
      const node = i % 2 ? document.createElement("mark") : document.createTextNode(part);
      if (i % 2) node.textContent = part;
      line.append(node);
    });
    return line;
  }

  async function search() {
    await load();  // what is typed meanwhile is searched for as well
    const words = input.value.toLowerCase().split(/[^\p{L}\p{N}_.]+/u).filter(Boolean);
    found.hidden = !words.length;
    if (!words.length) return;
    const hits = entries.map((entry) => [score(entry, words), entry]).filter(([points]) => points).sort((a, b) => b[0] - a[0]);
    const count = document.createElement("p");
    count.textContent = hits.length ? `${hits.length} section${hits.length > 1 ? "s" : ""}` : "Nothing found. Try fewer words, or the beginning of one.";
    found.replaceChildren(count, ...hits.slice(0, MOST).map(([, entry]) => {
      const link = document.createElement("a"), title = document.createElement("b");
      link.href = `${up}/${entry.place}`;
      title.textContent = entry.heading === entry.page ? entry.page : `${entry.heading} (${entry.page})`;
      link.append(title, snippet(entry.text, words));
      return link;
    }));
  }

  input.addEventListener("input", search);
  input.addEventListener("focus", load);
  found.addEventListener("click", () => { found.hidden = true; });
  addEventListener("keydown", (event) => {
    const links = [...found.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (event.key === "/" && document.activeElement !== input) { event.preventDefault(); input.focus(); }
    else if (event.key === "Escape") { found.hidden = true; input.blur(); }
    else if (!found.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp") && (at >= 0 || document.activeElement === input)) {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? input : links[Math.min(next, links.length - 1)]).focus();
    }
  });
  addEventListener("click", (event) => { if (!event.target.closest(".search")) found.hidden = true; });
})();
