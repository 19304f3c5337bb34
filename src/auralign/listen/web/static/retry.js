// Asking again, later and later, until the network or the server is back.

const LONGEST_S = 30;

/** The result of `work`, tried again while its errors pass; `onDelay` gets each of them. */
export async function retry(work, onDelay) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const result = await work();
      onDelay(null);
      return result;
    } catch (error) {
      if (!error.passing) throw error;
      onDelay(error);
      await untilLater(attempt);
    }
  }
}

/** Wait 1, 2, 4 ... 30 s, give or take half, or until the browser says that it is online. */
function untilLater(attempt) {
  const seconds = Math.min(LONGEST_S, 2 ** attempt) * (0.5 + Math.random());
  return new Promise((resolve) => {
    const timer = setTimeout(done, 1_000 * seconds);
    function done() {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    }
    addEventListener("online", done);
  });
}
