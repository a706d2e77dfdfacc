// The age of data goes on after the site was built: a page that nobody rebuilds says so itself.
(function () {
  "use strict";

  function words(milliseconds) {
    var minutes = Math.max(0, Math.round(milliseconds / 60000));
    var days = Math.floor(minutes / 1440);
    var hours = Math.floor(minutes / 60);
    if (days >= 3) return days + " days";
    if (hours >= 24) return hours + " h";
    if (hours >= 1) return hours + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
    return minutes + " min";
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

  // The theme gives its search dialog no name for screen readers.
  document.querySelectorAll("[data-md-component=search][role=dialog]:not([aria-label])").forEach(function (dialog) {
    dialog.setAttribute("aria-label", "Search");
  });

  refreshAges();
  warnOfSilence();
})();
