// Colours as the system has them, or as somebody chose: set before anything is drawn.
(function () {
  "use strict";
  var ORDER = ["auto", "light", "dark"];
  var TOLD = {
    auto: "Theme: Auto, as the system has it",
    light: "Theme: Light",
    dark: "Theme: Dark",
  };
  function chosen() {
    try {
      var found = localStorage.getItem("annotune-theme");
      return ORDER.indexOf(found) < 0 ? "auto" : found;
    } catch (error) {
      return "auto"; // a browser that keeps nothing for us
    }
  }
  function apply(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
  apply(chosen());
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("theme");
    function say(theme) {
      button.textContent = theme[0].toUpperCase() + theme.slice(1);
      button.setAttribute("aria-label", TOLD[theme]);
      button.title = TOLD[theme];
    }
    button.hidden = false;
    say(chosen());
    button.addEventListener("click", function () {
      var next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
      try {
        localStorage.setItem("annotune-theme", next);
      } catch (error) {
        // then it holds for this page alone
      }
      apply(next);
      say(next);
      document.dispatchEvent(new Event("theme"));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
      document.dispatchEvent(new Event("theme"));
    });
  });
})();
