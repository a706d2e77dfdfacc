// The age of data goes on after the site was built: a page that nobody rebuilds says so itself.
(function () {
  "use strict";

  function words(milliseconds) {
    var minutes = Math.max(0, Math.round(milliseconds / 60000));
    var days = Math.floor(minutes / 1440);
    var hours = Math.floor(minutes / 60);
    if (days >= 3) return days + " days";
    if (hours >= 24) return hours + "\u00a0h";
    if (hours >= 1) return hours + "\u00a0h" + (minutes % 60 ? " " + (minutes % 60) + "\u00a0min" : "");
    return minutes + "\u00a0min";
  }

  function refreshAges() {
    document.querySelectorAll("time[data-pk-age]").forEach(function (element) {
      element.textContent = words(Date.now() - Date.parse(element.dateTime)) + " old";
    });
  }

  function warnOfSilence() {
    var meta = document.querySelector("meta[name=perfkb-newest-data]");
    var place = document.querySelector(".md-content__inner");
    if (!meta || !place || document.querySelector(".pk-silent")) return;
    var age = Date.now() - Date.parse(meta.content);
    if (age < Number(meta.dataset.silentAfter) * 1000) return;
    var banner = document.createElement("p");
    banner.className = "pk-silent";
    banner.setAttribute("role", "status");
    banner.textContent = "The newest data here is " + words(age) + " old: the scheduled refresh may have stopped.";
    place.prepend(banner);
  }

  // What the theme makes of code and wide tables has no name for screen readers, nor can keys scroll it.
  function nameParts() {
    document.querySelectorAll(".md-code__nav").forEach(function (nav, number) {
      nav.setAttribute("aria-label", "Code " + (number + 1));
    });
    document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach(function (wide) {
      wide.tabIndex = 0;
    });
  }

  var article = document.querySelector("article");
  if (article) new MutationObserver(nameParts).observe(article, { childList: true, subtree: true });
  nameParts();

  // The theme gives its search dialog no name for screen readers.
  document.querySelectorAll("[data-md-component=search][role=dialog]:not([aria-label])").forEach(function (dialog) {
    dialog.setAttribute("aria-label", "Search");
  });

  // Priorities: only a team's stories, or those whose fix fits; the address keeps the choice.
  function filterPriorities() {
    var form = document.querySelector(".pk-priorities .pk-filter");
    if (!form) return;
    var entries = document.querySelectorAll(".pk-priorities [data-pk-team]");
    var asked = new URLSearchParams(location.search);
    ["team", "days"].forEach(function (name) {
      form.elements[name].value = asked.get(name) || "";
      // A team that is no longer there would hide everything.
      if (form.elements[name].selectedIndex < 0) form.elements[name].value = "";
    });

    function fits(entry) {
      var team = form.elements.team.value, days = form.elements.days.value;
      var takes = entry.dataset.pkDays;
      return (!team || entry.dataset.pkTeam === team) && (!days || (takes !== "" && Number(takes) <= Number(days)));
    }

    function apply() {
      var shown = 0, all = 0;
      entries.forEach(function (entry) {
        entry.hidden = !fits(entry);
        if (!entry.matches(".pk-option")) return;
        all += 1;
        shown += entry.hidden ? 0 : 1;
      });
      document.querySelectorAll(".pk-priorities section").forEach(function (section) {
        section.hidden = !section.querySelector("[data-pk-team]:not([hidden])");
      });
      var unknown = form.elements.days.value ? "; those of unknown effort are left out" : "";
      form.querySelector("output").textContent = shown + " of " + all + " stories" + unknown;
    }

    function changed() {
      var kept = new URLSearchParams(location.search);
      ["team", "days"].forEach(function (name) {
        if (form.elements[name].value) kept.set(name, form.elements[name].value);
        else kept.delete(name);
      });
      history.replaceState(null, "", location.pathname + (String(kept) ? "?" + kept : "") + location.hash);
      apply();
    }

    form.addEventListener("change", changed);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    // The fields are emptied here: a reset event comes before they are.
    form.querySelector("[type=reset]").addEventListener("click", function (event) {
      event.preventDefault();
      form.reset();
      changed();
    });
    form.hidden = false;
    apply();
  }

  refreshAges();
  warnOfSilence();
  filterPriorities();
})();
