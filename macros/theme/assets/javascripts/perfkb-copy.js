// Buttons that copy a text or the address of a link. Without scripts they are not there, and both can be selected.
(function () {
  "use strict";

  var status = null;

  function say(words) {
    if (!status || !status.isConnected) {
      status = document.createElement("div");
      status.className = "pk-unseen";
      status.setAttribute("role", "status");
      document.body.append(status);
    }
    status.textContent = words;
  }

  // Browsers give the clipboard to pages of https only; this way is old, and works on all others.
  function copyTheOldWay(text, element) {
    var area = document.createElement("textarea");
    area.value = text;
    area.className = "pk-unseen";
    document.body.append(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    if (!done && element) getSelection().selectAllChildren(element);
    return done;
  }

  function copy(text, element) {
    var clipboard = navigator.clipboard;
    var asked = clipboard ? clipboard.writeText(text).then(function () { return true; }) : Promise.reject();
    return asked.catch(function () { return copyTheOldWay(text, element); });
  }

  function told(button, done) {
    if (!button.dataset.pkWords) button.dataset.pkWords = button.textContent;
    var words = done ? "Copied" : "Press Ctrl+C";
    button.textContent = words;
    say(words);
    clearTimeout(button.pkTimer);
    button.pkTimer = setTimeout(function () { button.textContent = button.dataset.pkWords; say(""); }, 2500);
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-pk-copy]");
    if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (button.href) {
      // The address bar shows what was copied; the page stays where it is.
      if (button.hash) history.replaceState(history.state, "", button.href);
      copy(button.href).then(told.bind(null, button));
    } else {
      var element = document.getElementById(button.dataset.pkCopy);
      copy(element.textContent.trim().replace(/\s+/g, " "), element).then(told.bind(null, button));
    }
  });
})();
