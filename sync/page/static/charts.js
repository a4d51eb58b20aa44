// Draws every [data-chart] with uPlot, in the page's own colours; the tables beside say the same.
(function () {
  "use strict";
  var drawn = new Map(); // place -> uPlot
  var HEIGHT = 240;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function percent(share) {
    return share == null ? "–" : (100 * share).toFixed(1) + " %";
  }
  function ticks(u, values) {
    var days = u.scales.x.max - u.scales.x.min > 2 * 86400;
    var form = days ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
    var last = "";
    return values.map(function (v) {
      var text = new Date(1000 * v).toLocaleString([], form);
      if (text === last) return "";
      return (last = text);
    });
  }
  function moment(seconds) {
    return new Date(1000 * seconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  function dot(size, fill, stroke) {
    return { show: true, size: size, fill: fill, stroke: stroke, width: 2 };
  }
  function invisible() {
    return { stroke: "transparent", width: 0, points: { show: false } };
  }

  function plan(told) {
    var accent = colour("--accent"), muted = colour("--muted"), band = colour("--band");
    var paper = colour("--card");
    if (told.kind === "learning") {
      var plain = { stroke: accent, paths: function () { return null; } };
      return {
        data: [told.x, told.high, told.low, told.law, told.promoted, told.kept],
        bands: [{ series: [1, 2], fill: band }],
        series: [
          {},
          invisible(),
          invisible(),
          { stroke: accent, width: 1.5, dash: [5, 4], points: { show: false } },
          Object.assign({}, plain, { points: dot(9, accent, accent) }),
          Object.assign({}, plain, { stroke: muted, points: dot(8, paper, muted) }),
        ],
        time: false,
        say: function (i) {
          var value = told.promoted[i] == null ? told.kept[i] : told.promoted[i];
          var here = Math.round(told.x[i]) + " answers: ";
          if (value == null) here += "about " + percent(told.law[i]) + " to come";
          else here += told.names[i] + " " + percent(value);
          return here + " [" + percent(told.low[i]) + ", " + percent(told.high[i]) + "]";
        },
      };
    }
    return {
      data: [told.x, told.high, told.low, told.rate],
      bands: [{ series: [1, 2], fill: band }],
      series: [
        {},
        invisible(),
        invisible(),
        { stroke: accent, width: 2, points: dot(7, accent, accent) },
      ],
      time: true,
      say: function (i) {
        return moment(told.x[i]) + ", " + told.names[i] + ": " + percent(told.rate[i]) +
          " changed [" + percent(told.low[i]) + ", " + percent(told.high[i]) + "]";
      },
    };
  }

  function range(told) {
    var values = told.low.concat(told.high).filter(function (v) { return v != null; });
    var low = Math.max(0, Math.min.apply(null, values) - 0.05);
    var high = Math.min(1, Math.max.apply(null, values) + 0.05);
    return [Math.floor(10 * low) / 10, Math.ceil(10 * high) / 10];
  }

  function draw(place) {
    var old = drawn.get(place);
    if (old) old.destroy();
    place.replaceChildren();
    var told = JSON.parse(place.dataset.chart), how = plan(told), said = null;
    var axis = {
      stroke: colour("--muted"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    var wide = place.clientWidth;
    if (!wide) return;
    var span = told.x[told.x.length - 1] - told.x[0];
    var least = how.time ? 60 : 10;
    var pad = Math.max(span * 0.04, span ? 0 : least, 1);
    var chart = new uPlot(
      {
        width: wide,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: how.time, range: [told.x[0] - pad, told.x[told.x.length - 1] + pad] },
          y: { range: range(told) },
        },
        axes: [
          Object.assign({}, axis, { size: 32, space: 70 }, how.time ? { values: ticks } : {}),
          Object.assign({}, axis, {
            size: 56,
            values: function (_, shares) {
              return shares.map(function (v) { return Math.round(100 * v) + " %"; });
            },
          }),
        ],
        series: how.series,
        bands: how.bands,
        hooks: {
          setCursor: [
            function (u) {
              if (said) said.textContent = u.cursor.idx == null ? "" : how.say(u.cursor.idx);
            },
          ],
        },
      },
      how.data,
      place
    );
    said = document.createElement("p");
    said.className = "readout";
    said.setAttribute("aria-hidden", "true");
    place.append(said);
    drawn.set(place, chart);
  }

  function all() {
    for (var place of drawn.keys()) if (!place.isConnected) drawn.delete(place);
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  window.annotuneCharts = { draw: draw, all: all };
  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("theme", all);
  var waiting = 0;
  addEventListener("resize", function () {
    clearTimeout(waiting);
    waiting = setTimeout(all, 150);
  });
})();
