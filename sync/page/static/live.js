// Keeps a page up to date without loading it again. What has focus, is open or is being typed stays:
// idiomorph changes the page in place, and forms that somebody is in are left alone.
(function () {
  "use strict";
  var EVERY_MS = 3000, HIDDEN_MS = 30000, MOST_MS = 60000;
  var OLD_S = 86400;

  function ago(when) {
    var seconds = Math.max(0, (Date.now() - when) / 1000);
    if (seconds < 10) return "just now";
    if (seconds < 60) return Math.floor(seconds / 10) * 10 + " s ago";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
    if (seconds < OLD_S) return Math.floor(seconds / 3600) + " h ago";
    return null;
  }
  function times(root) {
    root.querySelectorAll("time").forEach(function (one) {
      var when = new Date(one.dateTime);
      var whole = when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      var text = ago(when.getTime()) || whole;
      if (one.title !== whole) one.title = whole;
      if (one.textContent !== text) one.textContent = text;
    });
  }

  function inForm(node) {
    var form = node.tagName === "FORM" ? node : null;
    return form && form.contains(document.activeElement);
  }
  var MORPH = {
    morphStyle: "innerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed: function (now, next) {
        if (now.nodeType !== 1) return true;
        if (inForm(now) || now.dataset.touched) return false;
        if (now.dataset.chart !== undefined && next.dataset) {
          if (now.dataset.chart !== next.dataset.chart) {
            now.dataset.chart = next.dataset.chart;
            now.setAttribute("aria-label", next.getAttribute("aria-label"));
            window.annotuneCharts.draw(now);
          }
          return false;
        }
        if (now.tagName === "TIME" && next.tagName === "TIME" && now.dateTime === next.dateTime) return false;
        return true;
      },
      beforeAttributeUpdated: function (name, node) {
        return !(name === "open" && node.tagName === "DETAILS");
      },
    },
  };

  var last = new Map(); // part -> what it was told last
  function show(parts) {
    Object.keys(parts).forEach(function (name) {
      var place = document.querySelector('[data-part="' + name + '"]');
      if (!place) return;
      Idiomorph.morph(place, parts[name], MORPH);
      last.set(name, parts[name]);
      times(place);
    });
  }
  function fresh(parts) {
    var found = {};
    Object.keys(parts).forEach(function (name) {
      if (last.get(name) !== parts[name]) found[name] = parts[name];
    });
    return found;
  }

  var where = document.body.dataset.live, failed = 0, timer = 0;
  var badge = document.getElementById("live");
  function say(text, bad) {
    badge.hidden = false;
    badge.textContent = text;
    badge.classList.toggle("bad", bad);
  }
  function next(ms) {
    clearTimeout(timer);
    timer = setTimeout(ask, ms);
  }
  async function ask() {
    if (document.hidden) return next(HIDDEN_MS);
    try {
      var limit = AbortSignal.timeout(15000);
      var answer = await fetch(where, { headers: { Accept: "application/json" }, signal: limit, redirect: "error" });
      if (answer.status === 401) return say("Signed out: load the page again", true);
      if (!answer.ok) throw new Error(answer.status);
      var told = await answer.json();
      if (document.querySelector("[data-reload]") && Object.keys(told.parts).length) return location.reload();
      show(fresh(told.parts));
      failed = 0;
      say("Live", false);
    } catch (error) {
      failed += 1;
      say("No answer; trying again", true);
    }
    next(Math.min(MOST_MS, EVERY_MS * Math.pow(2, failed)));
  }

  times(document);
  setInterval(function () { times(document); }, 10000);
  document.addEventListener("change", function (event) {
    var field = event.target.closest("form select, form input");
    if (field && field.form) field.form.dataset.touched = "1"; // what somebody chose is theirs
  });
  if (where) {
    say("Live", false);
    next(EVERY_MS);
    document.addEventListener("visibilitychange", function () {
      if (!document.hidden) next(0);
    });
  }
})();
