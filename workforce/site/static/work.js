(() => {
  "use strict";
  const bar = document.getElementById("bar");
  const clock = document.getElementById("clock");
  const announce = document.getElementById("announce");
  const frame = document.getElementById("task-frame");
  const end = performance.now() + Number(bar.dataset.seconds) * 1000;
  const milestones = [[30, "30 seconds left"], [60, "One minute left"], [300, "Five minutes left"]];
  let last = Number(bar.dataset.seconds);
  let timer = 0;

  function text(seconds) {
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    const two = (number) => String(number).padStart(2, "0");
    return (hours ? `${hours}:${two(minutes)}` : String(minutes)) + ":" + two(seconds % 60);
  }

  function finish(message) {
    clearInterval(timer);
    document.getElementById("clock-name").textContent = "Status";
    clock.classList.remove("late");
    announce.textContent = message;
    document.getElementById("return").hidden = true;
    document.getElementById("done").hidden = false;
  }

  function tick() {
    const left = Math.max(Math.ceil((end - performance.now()) / 1000), 0);
    clock.textContent = text(left);
    clock.classList.toggle("late", left <= 60);
    for (const [mark, words] of milestones) {
      if (last > mark && left <= mark) {
        announce.textContent = words;
        break;
      }
    }
    last = left;
    if (left === 0) {
      clock.textContent = "time over";
      finish("The time for this HIT is over.");
    }
  }

  // The page in the frame is not trusted to say that it was submitted; the server is asked
  async function look() {
    try {
      const answer = await fetch(bar.dataset.state);
      if (!answer.ok) return;
      const { status } = await answer.json();
      if (status !== "Accepted") {
        clock.textContent = status.toLowerCase();
        finish(`This HIT is ${status.toLowerCase()}.`);
      }
    } catch {
      // Offline for a moment: the clock goes on, and the frame shows what happened
    }
  }

  tick();
  timer = setInterval(tick, 1000);
  if (frame) frame.addEventListener("load", look);
})();
