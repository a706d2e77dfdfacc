// Lists that can be filtered: what is typed, facets, order and view; the address keeps all of it.
(function () {
  "use strict";

  // Laying out a thousand rows takes a browser half a second; so many come at once, the rest on demand.
  var ROWS = 48, ROWS_OF_GROUP = 6;

  document.querySelectorAll("[data-pk-filter]").forEach(function (place) {
    var form = place.querySelector(".pk-filters");
    if (form) start(place, form);
  });

  function fold(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  }

  function element(name, classes, text) {
    var made = document.createElement(name);
    if (classes) made.className = classes;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function read(row) {
    var told = row.matches("[data-pk-text]") ? [row] : Array.from(row.querySelectorAll("[data-pk-text]"));
    var link = row.querySelector("a");
    return {
      row: row,
      home: row.parentNode,
      group: row.closest("[data-pk-group]"),
      link: link,
      title: link.textContent,
      text: fold(told.map(function (part) { return part.textContent; }).join("\n") + "\n" + (row.dataset.pkMore || "")),
      marks: JSON.parse(row.dataset.pkIs || "{}"),
      order: JSON.parse(row.dataset.pkOrder || "{}"),
      shown: true,
      flat: row.matches("tr"),
      card: null,
      cards: null,
    };
  }

  function start(place, form) {
    var list = place.querySelector(".pk-filtered__list");
    var entries = Array.from(place.querySelectorAll("[data-pk-entry]"), read);
    var groups = Array.from(place.querySelectorAll("[data-pk-group]"), function (node) {
      return { node: node, count: node.querySelector("[data-pk-count]"), entries: entries.filter(function (each) { return each.group === node; }) };
    });
    var boxes = Array.from(form.querySelectorAll("input[type=checkbox]"), function (box) {
      return { box: box, facet: box.name, value: box.value, count: box.closest("label").querySelector("small") };
    });
    var facets = boxes.map(function (each) { return each.facet; }).filter(function (name, at, all) { return all.indexOf(name) === at; });
    var output = form.querySelector("output"), reset = form.querySelector("[type=reset]");
    var opener = form.querySelector(".pk-filters__open"), done = form.querySelector(".pk-facets__done button");
    var nothing = place.querySelector(".pk-filters__nothing");
    var collator = new Intl.Collator(document.documentElement.lang || "en", { numeric: true, sensitivity: "base" });
    var board = null, flat = null, ordered = "", waiting = null;
    var sequence = entries, whole = new Set();

    function ticked() {
      var found = {};
      boxes.forEach(function (each) {
        if (each.box.checked) (found[each.facet] = found[each.facet] || []).push(each.value);
      });
      return found;
    }

    function chosen(name) {
      var field = form.elements[name];
      return field ? field.value : "";
    }

    // Any of a facet's ticked values, and that of every facet; a choice counts what ticking it would add.
    function apply(asMuch) {
      if (asMuch !== true) whole.clear();
      var asked = ticked(), names = Object.keys(asked);
      var words = fold(chosen("q")).split(/\s+/).filter(Boolean);
      var counts = {}, shown = 0;
      facets.forEach(function (name) { counts[name] = new Map(); });
      entries.forEach(function (entry) {
        var says = words.every(function (word) { return entry.text.includes(word); });
        var lacks = says ? names.filter(function (name) { return !has(entry, name, asked[name]); }) : null;
        entry.shown = says && !lacks.length;
        if (entry.shown) shown += 1;
        if (says && lacks.length < 2) tally(counts, entry, lacks.length ? lacks : facets);
      });
      order(chosen("sort"), chosen("view") === "board");
      boxes.forEach(function (each) {
        var count = counts[each.facet].get(each.value) || 0;
        say(each.count, String(count));
        each.box.closest("li").classList.toggle("pk-facets__none", !count && !each.box.checked);
      });
      var some = words.length || names.length;
      var found = shown + (shown < entries.length ? " of " + entries.length : "") + " " + output.dataset.pkWhat;
      say(output, found);
      say(done, shown ? "Show " + found : "Close");
      reset.hidden = !some;
      nothing.hidden = shown > 0;
      var many = names.reduce(function (sum, name) { return sum + asked[name].length; }, 0);
      say(opener.querySelector("b"), many ? "(" + many + ")" : "");
    }

    function has(entry, name, values) {
      return (entry.marks[name] || []).some(function (value) { return values.includes(value); });
    }

    function tally(counts, entry, names) {
      names.forEach(function (name) {
        (entry.marks[name] || []).forEach(function (value) { counts[name].set(value, (counts[name].get(value) || 0) + 1); });
      });
    }

    // What is shown changes before rows move: a row that is hidden costs nothing to move.
    function order(by, asBoard) {
      var moved = by !== ordered;
      if (moved) sequence = by ? sorted(by) : entries;
      ordered = by;
      if (by && !flat) place.querySelector("thead").after(flat = element("tbody"));
      if (asBoard && !board) list.prepend(board = makeBoard());
      if (board) board.hidden = !asBoard;
      place.classList.toggle("pk-filtered--board", asBoard);
      place.classList.toggle("pk-filtered--flat", Boolean(by));
      var shown = fill();
      if (moved) sequence.forEach(function (entry) { (by && entry.flat ? flat : entry.home).append(entry.row); });
      if (board) sequence.forEach(function (entry) { if (entry.card) entry.cards.append(entry.card); });
      shown.forEach(function (holder) { more(holder); });
      heads(by);
    }

    // Shows the first of what is asked for in each place, and returns the places with how many that leaves.
    function fill() {
      var holders = new Map();
      var filled = groups.filter(function (group) { return group.entries.some(function (entry) { return entry.shown; }); });
      var first = Math.max(ROWS_OF_GROUP, Math.floor(ROWS / (filled.length || 1)));
      sequence.forEach(function (entry) {
        var listed = ordered && entry.flat;
        put(holders, entry.row, listed ? flat : entry.home, entry.shown, listed ? ROWS : first);
        if (entry.card) put(holders, entry.card, entry.cards, entry.shown, first);
      });
      groups.forEach(function (group) {
        var count = group.entries.reduce(function (sum, entry) { return sum + entry.shown; }, 0);
        group.node.hidden = !count;
        if (group.count) say(group.count, String(count));
        if (group.column) {
          group.column.hidden = !count;
          say(group.column.querySelector("small"), String(count));
        }
      });
      return Array.from(holders.values());
    }

    function put(holders, node, parent, shown, first) {
      if (!holders.has(parent)) holders.set(parent, { node: parent, count: 0, first: first });
      var holder = holders.get(parent);
      if (shown) holder.count += 1;
      var show = shown && (holder.count <= first || whole.has(parent));
      if (node.hidden === show) node.hidden = !show;
    }

    // The rest of a long list comes on demand.
    function more(holder) {
      var old = Array.from(holder.node.children).find(function (child) { return child.classList.contains("pk-filters__more"); });
      var left = whole.has(holder.node) ? 0 : holder.count - holder.first;
      if (old) old.remove();
      if (left <= 0) return;
      var button = element("button", "", "Show " + left + " more");
      button.type = "button";
      button.addEventListener("click", function () {
        var rest = Array.from(holder.node.querySelectorAll("[hidden]"));
        whole.add(holder.node);
        apply(true);
        var next = rest.find(function (node) { return !node.hidden; });
        if (next) next.querySelector("a").focus();
      });
      var line = element(holder.node.matches("tbody") ? "tr" : "li", "pk-filters__more");
      var cell = line.matches("tr") ? line.appendChild(element("td")) : line;
      if (line.matches("tr")) cell.colSpan = 7;
      cell.append(button);
      holder.node.append(line);
    }

    function sorted(by) {
      return entries.slice().sort(function (a, b) {
        if (by === "title") return collator.compare(a.title, b.title);
        var one = a.order[by], other = b.order[by];
        return one < other ? 1 : one > other ? -1 : 0;
      });
    }

    function heads(by) {
      place.querySelectorAll("[data-pk-column]").forEach(function (head) {
        if (head.dataset.pkColumn === by) head.setAttribute("aria-sort", by === "title" ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
    }

    function makeBoard() {
      var made = element("div", "pk-board");
      groups.forEach(function (group) {
        var head = group.node.querySelector(".pk-group b");
        if (!head) return;
        var column = group.column = element("section"), title = element("h2", "", head.textContent + " "), cards = element("ul");
        title.append(element("small", "", ""));
        group.entries.forEach(function (entry) {
          entry.card = element("li");
          entry.cards = cards;
          entry.card.append(entry.link.cloneNode(true));
          var about = entry.row.querySelector("[data-label=Area]");
          if (about) entry.card.append(element("small", "", Array.from(about.childNodes, said).filter(Boolean).join(" · ")));
          cards.append(entry.card);
        });
        column.append(title, cards);
        made.append(column);
      });
      return made;
    }

    function said(node) {
      return node.textContent.trim();
    }

    function address() {
      var kept = new URLSearchParams();
      new URLSearchParams(location.search).forEach(function (value, name) {
        if (name !== "q" && name !== "sort" && name !== "view" && !facets.includes(name)) kept.append(name, value);
      });
      ["q", "sort", "view"].forEach(function (name) { if (chosen(name)) kept.set(name, chosen(name)); });
      boxes.forEach(function (each) { if (each.box.checked) kept.append(each.facet, each.value); });
      return location.pathname + (String(kept) ? "?" + kept : "") + location.hash;
    }

    // A choice is a step that the back button undoes; typing is not one step a letter.
    function keep(step) {
      clearTimeout(waiting);
      if (address() === location.pathname + location.search + location.hash) return;
      if (step) history.pushState(null, "", address());
      else waiting = setTimeout(function () { history.replaceState(null, "", address()); }, 300);
    }

    function restore() {
      var asked = new URLSearchParams(location.search);
      form.reset();
      ["q", "sort", "view"].forEach(function (name) {
        var field = form.elements[name];
        if (field) field.value = asked.get(name) || "";
      });
      // An order that is not there any more would leave the field empty.
      if (form.elements.sort && form.elements.sort.selectedIndex < 0) form.elements.sort.value = "";
      if (form.elements.view && !form.elements.view.value) form.elements.view.value = "";
      boxes.forEach(function (each) { each.box.checked = asked.getAll(each.facet).includes(each.value); });
      apply();
    }

    function searchAll(event) {
      var input = document.querySelector(".md-search__input");
      if (!input) return;
      event.preventDefault();
      input.value = chosen("q");
      input.focus();
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }

    form.addEventListener("input", function (event) {
      if (event.target.name !== "q") return;
      apply();
      keep(false);
    });
    form.addEventListener("change", function (event) {
      if (event.target.name === "q") return;
      apply();
      keep(true);
    });
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    // The fields are emptied here: a reset event comes before they are.
    reset.addEventListener("click", function (event) {
      event.preventDefault();
      form.reset();
      apply();
      keep(true);
      form.elements.q.focus();
    });
    form.elements.q.addEventListener("keydown", function (event) {
      if (event.key !== "Escape" || !event.target.value) return;
      event.preventDefault();
      event.target.value = "";
      apply();
      keep(false);
    });
    function unfold(open) {
      opener.setAttribute("aria-expanded", String(open));
      form.classList.toggle("pk-filters--open", open);
    }

    // Back to the button that opened the facets, beneath which the list begins.
    function close() {
      unfold(false);
      opener.focus({ preventScroll: true });
      output.scrollIntoView();
    }

    opener.addEventListener("click", function () { unfold(opener.getAttribute("aria-expanded") !== "true"); });
    done.addEventListener("click", close);
    form.querySelector(".pk-facets").addEventListener("keydown", function (event) {
      if (event.key === "Escape" && opener.getAttribute("aria-expanded") === "true") close();
    });
    nothing.querySelector(".pk-filters__search").addEventListener("click", searchAll);
    nothing.addEventListener("click", function (event) {
      var link = event.target.closest("[data-pk-report]");
      if (link) link.href = link.dataset.pkReport.replace("{title}", encodeURIComponent(chosen("q"))).replace("{url}", "");
    });
    window.addEventListener("popstate", restore);
    document.addEventListener("keydown", function (event) {
      var typing = event.target.closest && event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
      if (event.key !== "f" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      form.elements.q.focus();
      form.elements.q.select();
    });
    restore();
  }
})();
