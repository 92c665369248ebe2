// Asks twice more, plainly and over HTTPS, and shows the difference. Writes text only, never HTML.
"use strict";
(async () => {
  // What browsers send by themselves, besides "sec-...".
  const BROWSER = new Set(
    ("host connection proxy-connection keep-alive user-agent accept accept-charset accept-encoding accept-language " +
      "cache-control pragma referer origin cookie dnt priority te range save-data upgrade-insecure-requests " +
      "device-memory dpr viewport-width width downlink ect rtt x-requested-with").split(" "));
  // What a browser may send in one of two requests alone, or otherwise.
  const DIFFERS = new Set(
    ("host connection proxy-connection keep-alive accept-encoding cache-control pragma referer origin cookie dnt " +
      "priority te save-data upgrade-insecure-requests device-memory dpr viewport-width width downlink ect rtt").split(" "));
  const OWN = "x-leakscan-probe";

  const way = document.getElementById("way");
  const put = (to, tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text || "";
    to.append(made);
    return made;
  };
  const say = text => put(way, "p", text);
  const list = (title, pairs) => {
    if (!pairs.length) return;
    say(title);
    const all = put(way, "ul");
    for (const [name, value] of pairs) {
      const item = put(all, "li");
      put(item, "code", name);
      const more = put(item, "details");
      put(more, "summary", "show what it held");
      put(more, "code", value);
    }
  };

  const verdict = document.getElementById("verdict");
  const net = navigator.connection;
  if (net && (net.type === "wifi" || net.type === "ethernet") && verdict.classList.contains("none-found")) {
    verdict.textContent = "This request cannot tell: we found nothing that we know of, but your browser says that it is on "
      + (net.type === "wifi" ? "Wi-Fi." : "a cable.");
    verdict.className = "verdict inconclusive";
  }

  const nonce = Array.from(crypto.getRandomValues(new Uint8Array(12)), n => (n % 36).toString(36)).join("");
  const ask = async (base, headers) => {
    const answer = await fetch(base + "/probe?n=" + nonce,
      { cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", headers });
    const said = await answer.json();
    if (said.nonce !== nonce) throw new Error("somebody else's answer");
    return said.headers.filter(pair => pair[1] !== null).map(pair => [pair[0].toLowerCase(), pair[1], pair[0]]);
  };
  let plain, secure = null;
  try {
    plain = await ask("", { "X-Leakscan-Probe": nonce });
  } catch (error) {
    say("The second request failed, or its answer came out of a cache on the way: there is nothing to compare with.");
    return;
  }
  if (way.dataset.secure) {
    try {
      secure = await ask(way.dataset.secure);
    } catch (error) {
      say("The encrypted request failed, so there is less to compare with.");
    }
  }

  const usual = secure ? DIFFERS : BROWSER;
  const odd = plain.filter(([name]) => !usual.has(name) && !name.startsWith("sec-") && name !== OWN);
  const inSecure = (name, value) => secure.some(pair => pair[0] === name && (value === undefined || pair[1] === value));
  const added = secure ? odd.filter(([name]) => !inSecure(name)) : odd;
  const changed = secure ? odd.filter(([name, value]) => inSecure(name) && !inSecure(name, value)) : [];
  const asWritten = pairs => pairs.map(([, value, name]) => [name, value]);
  if (secure) {
    say("Your browser has just sent two requests more, one plain, one encrypted.");
    list("Only the plain one had these when it arrived. They were added on the way:", asWritten(added));
    list("These had another value in the plain one. They were changed on the way:", asWritten(changed));
    if (!added.length && !changed.length) say("Both arrived alike: we see nothing that was added on the way.");
  } else {
    say("Your browser has just sent one request more, of which this page knows what it put in.");
    list("Neither this page nor browsers as we know them send these. They were added on the way, or by an extension of " +
      "your browser:", asWritten(added));
    if (!added.length) say("We see nothing in it that browsers do not send.");
  }
  if (!plain.some(([name, value]) => name === OWN && value === nonce)) say("A header that this page put in is missing.");
  const names = new Set(added.map(([name]) => name));
  for (const found of document.querySelectorAll("article")) {
    if (!names.has(found.dataset.name)) continue;
    put(found.querySelector(".who"), "p",
      secure ? "It was added on the way: your browser did not send it." : "Your browser most likely did not send it.");
  }
})();
