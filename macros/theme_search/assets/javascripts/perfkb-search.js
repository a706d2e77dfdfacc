// The search in the header: Pagefind's index, in Material's surface.
(function () {
  "use strict";

  var place = document.querySelector("[data-pk-search]");
  var toggle = document.getElementById("__search");
  if (!place || !toggle) return;
  var form = place.querySelector("form");
  var input = place.querySelector("input");
  var told = place.querySelector(".md-search-result__meta");
  var list = place.querySelector(".md-search-result__list");
  var hint = told.textContent;
  var engine = null, asked = 0, words = "", running = Promise.resolve(), waiting = null;
  var AT_ONCE = 8;

  // Titles and what customers say come before what is told at length.
  var RANKING = { termFrequency: 0.6, pageLength: 0.3, metaWeights: { title: 8, said: 8, names: 8 } };

  function absolute(address) {
    return new URL(address, document.baseURI).href;
  }

  // The index is fetched when somebody is about to search, and never before.
  function load() {
    engine = engine || import(absolute(place.dataset.pkSearch) + "pagefind.js").then(function (module) {
      return module.options({ noWorker: true, excerptLength: 24, ranking: RANKING })
        .then(module.init).then(function () { return module; });
    });
    engine.catch(function () { engine = null; });
    return engine;
  }

  function pagesOf(results, from) {
    return Promise.all(results.slice(from, from + AT_ONCE).map(function (each) { return each.data(); }));
  }

  // All of what was typed; where no page has all of it, the pages that have most of it.
  function find(module, query) {
    return module.search(query).then(function (found) {
      return pagesOf(found.results, 0).then(function (pages) {
        // A word that stands nowhere is taken for a beginning of it, at worst for its first letter.
        var asked = parts(query);
        var known = asked.filter(function (word) { return pages.some(function (page) { return has(page, word); }); });
        if (known.length === asked.length) return { results: found.results, pages: pages, exact: true };
        return closest(module, asked);
      });
    });
  }

  function closest(module, asked) {
    // One after the other: a page is one object, which holds the places of the last search that found it.
    return asked.reduce(function (before, word) {
      return before.then(function (lists) {
        return module.search(word).then(function (found) {
          if (!found.results.length) return lists;
          return found.results[0].data().then(function (page) { return has(page, word) ? lists.concat([found.results]) : lists; });
        });
      });
    }, Promise.resolve([])).then(function (lists) {
      var results = asked.length > 1 ? most(lists, asked.length) : lists[0] || [];
      return pagesOf(results, 0).then(function (pages) { return { results: results, pages: pages, exact: false }; });
    });
  }

  function parts(text) {
    return plain(text).match(/[\p{L}\p{N}]+/gu) || [];
  }

  function plain(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  }

  // Whether one of the places that were found in a page is of this word, but for its ending.
  function has(page, word) {
    var words = page.raw_content.split(/[\r\n\s]+/g);
    var least = Math.min(3, word.length);
    return page.locations.some(function (place) {
      return parts(words[place] || "").some(function (part) { return part.slice(0, least) === word.slice(0, least); });
    });
  }

  // The pages that have at least half of the words, those with more of them first.
  function most(lists, asked) {
    var seen = new Map();
    lists.forEach(function (results) {
      results.forEach(function (result) {
        var known = seen.get(result.id) || { result: result, count: 0, score: 0 };
        known.count += 1;
        known.score += result.score;
        seen.set(result.id, known);
      });
    });
    return Array.from(seen.values())
      .filter(function (known) { return known.count * 2 >= asked; })
      .sort(function (a, b) { return b.count - a.count || b.score - a.score; })
      .map(function (known) { return known.result; });
  }

  function search() {
    clearTimeout(waiting);
    var query = words = input.value.trim().replace(/\s+/g, " ");
    var turn = ++asked;
    if (!query) {
      told.textContent = hint;
      list.replaceChildren();
      return Promise.resolve();
    }
    running = running.then(load).then(function (module) {
      return turn === asked ? find(module, query) : null;
    }).then(function (found) {
      if (turn === asked) show(query, found);
    }).catch(function () {
      if (turn !== asked) return;
      told.textContent = "The search cannot be loaded.";
      list.replaceChildren(ways(query));
    });
    return running;
  }

  function show(query, found) {
    var count = found.results.length;
    if (!count) told.textContent = "Nothing found for “" + query + "”";
    else if (!found.exact) told.textContent = "Nothing has all of these words; this has most of them";
    else told.textContent = count === 1 ? "1 page found" : count + " pages found";
    list.replaceChildren.apply(list, found.pages.map(entry));
    if (count > found.pages.length) list.append(more(found.results, found.pages.length));
    if (!count || !found.exact) list.append(ways(query));
  }

  function more(results, from) {
    var item = element("li", "pk-search__ways");
    var button = element("button", "md-search-result__link", "Show " + Math.min(AT_ONCE, results.length - from) + " more");
    button.type = "button";
    button.addEventListener("click", function () {
      var turn = asked;
      pagesOf(results, from).then(function (pages) {
        if (turn !== asked) return;
        var added = pages.map(entry);
        if (results.length > from + pages.length) item.after(more(results, from + pages.length));
        item.replaceWith.apply(item, added);
        added[0].querySelector("a").focus();
      });
    });
    item.append(button);
    return item;
  }

  function entry(page) {
    var item = element("li", "md-search-result__item");
    var link = element("a", "md-search-result__link");
    var article = element("article", "md-search-result__article md-typeset");
    var title = element("h2", "", page.meta.title || page.url);
    // Of a story all is one; of a long page of the handbook, its section is meant.
    var part = page.meta.stage ? page : section(page);
    link.href = part.url;
    if (part !== page && part.title !== page.meta.title) title.append(" › " + part.title);
    if (page.meta.stage) {
      title.append(" ", element("span", "pk-stage pk-stage--" + page.meta.stage.toLowerCase().replace(/[^a-z]/g, ""), page.meta.stage));
    }
    article.append(title);
    var said = page.meta.said || "";
    if (said && !part.plain_excerpt.includes(said.replace("Customers say ", "").slice(0, 16))) {
      article.append(element("p", "pk-search__said", said));
    }
    article.append(excerpt(part.excerpt));
    link.append(article);
    item.append(link);
    return item;
  }

  function section(page) {
    function weight(part) {
      return (part.weighted_locations || []).reduce(function (sum, place) { return sum + place.balanced_score; }, 0);
    }
    return (page.sub_results || []).reduce(function (best, part) { return weight(part) > weight(best) ? part : best; },
      (page.sub_results || [])[0] || page);
  }

  // Pagefind gives HTML, in which it escaped what the page says; nothing of it is ever parsed as such here.
  function excerpt(html) {
    var text = element("p", "");
    html.split(/(<mark>.*?<\/mark>)/).forEach(function (part) {
      var marked = /^<mark>(.*)<\/mark>$/.exec(part);
      var plain = (marked ? marked[1] : part).replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
      text.append(marked ? element("mark", "", plain) : plain);
    });
    return text;
  }

  // What one may do instead.
  function ways(query) {
    var item = element("li", "pk-search__ways");
    var links = [["Look among all stories", place.dataset.pkStories + "?q=" + encodeURIComponent(query)]];
    var report = place.dataset.pkReport;
    if (report) {
      links.unshift(["Report “" + query + "”", report.replace("{title}", encodeURIComponent(query)).replace("{url}", "")]);
    }
    links.forEach(function (each) {
      var link = element("a", "md-search-result__link", each[0]);
      link.href = each[1];
      link.rel = "noopener noreferrer";
      item.append(link);
    });
    return item;
  }

  function element(name, classes, text) {
    var made = document.createElement(name);
    if (classes) made.className = classes;
    if (text) made.textContent = text;
    return made;
  }

  function open() {
    if (!toggle.checked) toggle.click();
    input.focus();
    input.select();
  }

  function close() {
    if (toggle.checked) toggle.click();
    if (place.contains(document.activeElement)) document.activeElement.blur();
  }

  function move(step) {
    var stops = [input].concat(Array.from(list.querySelectorAll("a, button")));
    var at = stops.indexOf(document.activeElement);
    if (at >= 0) stops[(at + step + stops.length) % stops.length].focus();
  }

  // Enter may come before the answer does: it then opens what that answer begins with.
  function follow() {
    var query = input.value.trim().replace(/\s+/g, " ");
    (query === words && list.querySelector("a") ? Promise.resolve() : search()).then(function () {
      var first = list.querySelector(".md-search-result__item a");
      if (first) first.click();
    });
  }

  input.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(search, 150);
  });
  input.addEventListener("focus", function () {
    if (!toggle.checked) toggle.click();
    load().catch(function () {});
  });
  toggle.addEventListener("change", function () {
    if (toggle.checked) input.focus();
    else if (place.contains(document.activeElement)) document.activeElement.blur();
  });
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    follow();
  });
  form.addEventListener("reset", function () {
    setTimeout(function () { search(); input.focus(); });
  });
  place.addEventListener("keydown", function (event) {
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // Who leaves with the Tab key has done with it.
  place.addEventListener("focusout", function (event) {
    if (event.relatedTarget && !place.contains(event.relatedTarget) && toggle.checked) toggle.click();
  });
  list.addEventListener("click", function (event) {
    if (event.target.closest("a") && toggle.checked) toggle.click();
  });
  document.addEventListener("keydown", function (event) {
    var typing = event.target.closest && event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
    if (event.defaultPrevented || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "/" && event.key !== "s" && event.key !== "f") return;
    event.preventDefault();
    open();
  });
})();
