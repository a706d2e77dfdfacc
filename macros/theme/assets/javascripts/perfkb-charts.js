// Charts: the value at a place, for a pointer, a finger and the arrow keys; and parts of the time, in place.
// What can be read is in the table beneath a chart, which is there without scripts, too.
(function () {
  "use strict";

  function make(name, className, parent) {
    var element = document.createElement(name);
    if (className) element.className = className;
    if (parent) parent.append(element);
    return element;
  }

  function texts(cells) {
    return Array.from(cells, function (cell) { return cell.textContent.trim(); });
  }

  function fromTable(table) {
    var header = texts(table.tHead.rows[0].cells);
    return {
      heading: header[0],
      columns: header.slice(1),
      top: Number(table.dataset.top),
      bottom: Number(table.dataset.bottom),
      levels: (table.dataset.levels || "").split(" ").filter(Boolean).map(Number),
      points: "points" in table.dataset,
      rows: Array.from(table.tBodies[0].rows, function (row) {
        var words = texts(row.cells);
        return {
          x: Number(row.dataset.x),
          y: row.dataset.y ? Number(row.dataset.y) : null,
          place: words[0],
          values: words.slice(1),
        };
      }),
    };
  }

  function fromDrawing(svg) {
    var kept = JSON.parse(svg.dataset.readings || "null");
    delete svg.dataset.readings;
    if (!kept) return null;
    kept.levels = [];
    kept.rows = kept.rows.map(function (row) {
      return { x: row[0], y: row[1], place: row[2], values: row.slice(3) };
    });
    return kept;
  }

  function fill(table, readings) {
    var header = make("tr"), body = make("tbody");
    [readings.heading].concat(readings.columns).forEach(function (words) {
      var cell = make("th", "", header);
      cell.scope = "col";
      cell.textContent = words;
    });
    readings.rows.forEach(function (row) {
      var line = make("tr", "", body), place = make("th", "", line);
      place.scope = "row";
      place.textContent = row.place;
      row.values.forEach(function (words) { make("td", "", line).textContent = words; });
    });
    table.tHead.replaceChildren(header);
    table.tBodies[0].replaceWith(body);
  }

  // The number of the value that is nearest to `wanted` in an ascending list.
  function nearest(values, wanted) {
    var low = 0, high = values.length - 1;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (values[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low > 0 && wanted - values[low - 1] < values[low] - wanted ? low - 1 : low;
  }

  function Reader(plot, readings) {
    var self = this, svg = plot.querySelector("svg");
    this.plot = plot;
    this.handle = make("div", "pk-reader", plot);
    this.line = make("div", "pk-reader__line", this.handle);
    this.dot = make("div", "pk-reader__dot", this.handle);
    this.tip = make("div", "pk-reader__tip", this.handle);
    this.tip.setAttribute("aria-hidden", "true");
    this.handle.tabIndex = 0;
    this.handle.setAttribute("role", "slider");
    this.handle.setAttribute("aria-orientation", "horizontal");
    this.handle.setAttribute("aria-valuemin", "0");
    this.handle.setAttribute("aria-label", "Values of the chart: " + svg.querySelector("title").textContent);
    this.read(readings);

    this.handle.addEventListener("pointermove", function (event) { self.point(event); });
    this.handle.addEventListener("pointerdown", function (event) { self.point(event); });
    this.handle.addEventListener("pointerleave", function () {
      if (document.activeElement !== self.handle) self.hide();
    });
    this.handle.addEventListener("focus", function () { self.show(); });
    this.handle.addEventListener("blur", function () { self.hide(); });
    this.handle.addEventListener("keydown", function (event) { self.press(event); });
  }

  Reader.prototype.read = function (readings) {
    var box = this.plot.querySelector("svg").viewBox.baseVal;
    this.width = box.width;
    this.height = box.height;
    this.readings = readings;
    var last = readings.rows.length - 1;
    // Of time the last is looked for; a list of points begins with its first.
    this.row = readings.points ? 0 : last;
    this.column = 0;
    this.handle.setAttribute("aria-valuemax", String(last));
    this.line.hidden = Boolean(readings.points);
    this.line.style.top = 100 * readings.top / this.height + "%";
    this.line.style.height = 100 * (readings.bottom - readings.top) / this.height + "%";
    this.tip.style.top = this.line.style.top;
    this.update();
    this.hide();
  };

  Reader.prototype.words = function () {
    var readings = this.readings, row = readings.rows[this.row];
    if (readings.levels.length) return [[readings.columns[this.column], row.values[this.column]]];
    return readings.columns.map(function (name, number) { return [name, row.values[number]]; });
  };

  Reader.prototype.update = function () {
    var row = this.readings.rows[this.row], words = this.words();
    var y = this.readings.levels.length ? this.readings.levels[this.column] : row.y;
    var x = 100 * row.x / this.width;
    var told = words.map(function (pair) { return pair.join(" "); }).join(", ");
    this.handle.setAttribute("aria-valuenow", String(this.row));
    this.handle.setAttribute("aria-valuetext", row.place + ": " + told);
    this.line.style.left = this.dot.style.left = x + "%";
    this.dot.hidden = y === null;
    this.dot.style.top = 100 * (y || 0) / this.height + "%";
    if (this.readings.points) this.beside(100 * y / this.height);
    // On the side that has more room.
    this.tip.style.left = x < 50 ? x + "%" : "auto";
    this.tip.style.right = x < 50 ? "auto" : 100 - x + "%";
    this.tip.replaceChildren();
    make("b", "", this.tip).textContent = row.place;
    words.forEach(function (pair) {
      var line = make("span", "", this.tip);
      line.textContent = pair[0] + " ";
      make("strong", "", line).textContent = pair[1];
    }, this);
  };

  // Of a tall drawing, only the part around a point may be on the screen.
  Reader.prototype.beside = function (y) {
    this.tip.style.top = y < 50 ? y + "%" : "auto";
    this.tip.style.bottom = y < 50 ? "auto" : 100 - y + "%";
  };

  Reader.prototype.show = function () { this.handle.classList.add("pk-reader--on"); };
  Reader.prototype.hide = function () { this.handle.classList.remove("pk-reader--on"); };

  Reader.prototype.point = function (event) {
    var box = this.handle.getBoundingClientRect(), readings = this.readings;
    var x = (event.clientX - box.left) / box.width * this.width;
    var y = (event.clientY - box.top) / box.height * this.height;
    if (readings.points) {
      var away = readings.rows.map(function (row) { return Math.hypot(row.x - x, row.y - y); });
      this.row = away.indexOf(Math.min.apply(null, away));
    } else {
      this.row = nearest(readings.rows.map(function (row) { return row.x; }), x);
    }
    if (readings.levels.length) {
      var far = readings.levels.map(function (level) { return Math.abs(level - y); });
      this.column = far.indexOf(Math.min.apply(null, far));
    }
    this.update();
    this.show();
  };

  Reader.prototype.press = function (event) {
    var last = this.readings.rows.length - 1, levels = this.readings.levels;
    var page = Math.max(2, Math.round(last / 10));
    var rows = {
      ArrowLeft: this.row - 1, ArrowRight: this.row + 1, PageDown: this.row - page, PageUp: this.row + page,
      Home: 0, End: last,
    };
    // Which column lies above another depends on the chart.
    var down = levels.length > 1 && levels[0] > levels[1] ? -1 : 1;
    if (this.readings.points) {
      rows.ArrowUp = this.row - 1;
      rows.ArrowDown = this.row + 1;
    }
    var columns = levels.length ? { ArrowUp: this.column - down, ArrowDown: this.column + down } : {};
    if (event.key === "Escape") return this.hide();
    if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in rows || event.key in columns)) return;
    event.preventDefault();
    if (event.key in rows) this.row = Math.min(last, Math.max(0, rows[event.key]));
    else this.column = Math.min(levels.length - 1, Math.max(0, columns[event.key]));
    this.update();
    this.show();
  };

  function fetchDrawing(address) {
    return fetch(address).then(function (answer) {
      if (!answer.ok) throw new Error(answer.statusText);
      return answer.text();
    }).then(function (text) {
      var root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
      if (root.nodeName !== "svg") throw new Error("no drawing");
      var svg = document.importNode(root, true);
      return { svg: svg, readings: fromDrawing(svg) };
    });
  }

  function offerParts(figure, plot, table, reader) {
    var links = Array.from(figure.querySelectorAll(".pk-parts a")), asked = null;
    var known = { 0: Promise.resolve({ svg: plot.querySelector("svg"), readings: reader.readings }) };

    function choose(number) {
      asked = number;
      known[number] = known[number] || fetchDrawing(links[number].href);
      known[number].then(function (drawing) {
        if (asked !== number) return;
        plot.querySelector("svg").replaceWith(drawing.svg);
        if (drawing.readings) {
          fill(table, drawing.readings);
          reader.read(drawing.readings);
        }
        links.forEach(function (link, other) { link.setAttribute("aria-pressed", String(other === number)); });
      }, function () {
        location.href = links[number].href;
      });
    }

    links.forEach(function (link, number) {
      link.setAttribute("role", "button");
      link.setAttribute("aria-pressed", String(number === 0));
      link.removeAttribute("aria-current");
      link.addEventListener("click", function (event) {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        choose(number);
      });
      link.addEventListener("keydown", function (event) {
        if (event.key !== " ") return;
        event.preventDefault();
        choose(number);
      });
    });
  }

  function start() {
    document.querySelectorAll("figure.pk-chart").forEach(function (figure) {
      var plot = figure.querySelector(".pk-plot"), table = figure.querySelector(".pk-readings");
      if (!plot || !table || plot.querySelector(".pk-reader")) return;
      offerParts(figure, plot, table, new Reader(plot, fromTable(table)));
    });
  }

  // The theme says when it has put another page in place of this one.
  if (window.document$) window.document$.subscribe(start);
  else start();
})();
