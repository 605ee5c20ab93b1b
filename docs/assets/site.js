// What is wider than its place scrolls. A keyboard scrolls only what it can reach, so such a place takes the focus.
// `document$` is the theme's: by then it has wrapped the tables.
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) {
      target.tabIndex = 0;
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", `${target.querySelector("table") ? "Table" : "Picture"} that scrolls sideways`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
    }
  }
});

document$.subscribe(() => {
  resized.disconnect();
  for (const place of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset p:has(> img)")) {
    resized.observe(place);
  }
});
