// The code of the last page, by one tap.

const button = document.getElementById("copy");
const code = document.getElementById("code");

// Without TLS browsers have no clipboard for pages; the code is then marked by hand.
if (navigator.clipboard) button.hidden = false;

button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(code.textContent.trim());
  button.textContent = "Copied";
});
