// One slide at a time: arrow keys, space, Page Up and Down, Home, End, a click right or left.
(() => {
  const slides = [...document.querySelectorAll(".slide")];
  const root = document.body;
  let at = 0;

  // The largest letters for which nothing of the slide is cut off, down to what can still be read.
  function fit(slide) {
    const body = slide.querySelector(".body");
    const most = slide.querySelector("figure, .output") ? 4.4 : 5.4;
    for (let size = most; size >= 2.5; size -= 0.2) {
      slide.style.setProperty("--size", `${size}vmin`);
      const inside = [...body.children].every((part) =>
        part.getBoundingClientRect().bottom <= body.getBoundingClientRect().bottom + 1 &&
        part.scrollWidth <= part.clientWidth + 1);
      const pictures = [...body.querySelectorAll("figure")].every((f) => f.clientHeight >= innerHeight * 0.35);
      if (inside && body.scrollHeight <= body.clientHeight + 1 && pictures) break;
    }
  }

  function show(n) {
    slides[at].classList.remove("now", "told");
    at = Math.max(0, Math.min(slides.length - 1, n));
    slides[at].classList.add("now");
    if (root.classList.contains("one")) fit(slides[at]);
    history.replaceState(null, "", `#${at + 1}`);
  }

  function on() {
    const slide = slides[at];
    if (slide.querySelector(".answer") && !slide.classList.contains("told")) slide.classList.add("told");
    else show(at + 1);
  }

  function toggle(name) {
    root.classList.toggle(name);
    show(at);
  }

  const keys = {
    ArrowRight: on, PageDown: on, " ": on, ArrowLeft: () => show(at - 1), PageUp: () => show(at - 1),
    Home: () => show(0), End: () => show(slides.length - 1), n: () => toggle("noted"), a: () => toggle("one"),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (!root.classList.contains("one") && event.key.toLowerCase() !== "a")) return;
    event.preventDefault();
    act();
  });
  addEventListener("click", (event) => {
    if (!root.classList.contains("one") || event.target.closest("a, .notes") || String(getSelection())) return;
    if (event.clientX > innerWidth / 3) on(); else show(at - 1);
  });
  addEventListener("resize", () => show(at));
  addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
  root.classList.add("one");
  show(Number(location.hash.slice(1)) - 1 || 0);
})();
