// Elements, made in one call. Text is always text, never markup.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (typeof value === "boolean") node.toggleAttribute(name, value);
    else node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Set a text, unless it is there: screen readers hear of every change. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let lastId = 0;

/** A name for an element that another one refers to. */
export function freshId(stem) {
  lastId += 1;
  return `${stem}-${lastId}`;
}

/** Put `nodes` in place of what the page shows, and the focus on its heading. */
export function show(...nodes) {
  const place = document.getElementById("trial");
  place.replaceChildren(...nodes.filter((node) => node !== null));
  const heading = place.querySelector("h2");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Say `text` to those who do not see the page. */
export function announce(text) {
  document.getElementById("announcements").textContent = text;
}

/** Show `text` at the top until it is empty again. */
export function setNotice(text) {
  const notice = document.getElementById("notice");
  write(notice, text);
  notice.hidden = text === "";
}
