(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const players = all("audio");

  const follow = (player) => {
    const line = player.closest(".clip").querySelector(".playhead");
    const image = player.closest(".clip").querySelector("image");
    const width = parseFloat(image.getAttribute("width"));
    const move = () => {
      const at = (width * player.currentTime) / (player.duration || 1) + "%";
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      if (!player.paused) requestAnimationFrame(move);
    };
    line.classList.add("on");
    move();
  };

  for (const player of players) {
    player.addEventListener("play", () => {
      for (const other of players) if (other !== player) other.pause();
      for (const clip of all(".clip.playing")) clip.classList.remove("playing");
      player.closest(".clip").classList.add("playing");
      follow(player);
    });
    player.addEventListener("seeking", () => follow(player));
  }

  for (const button of all("button.switch")) {
    const clips = all("audio", button.closest(".prompt"));
    if (clips.length < 2) continue;
    let current = -1;
    clips.forEach((clip, index) => clip.addEventListener("play", () => { current = index; }));
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = clips[(current + 1) % clips.length];
      next.currentTime = 0;
      next.play();
    });
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
