(function () {
  'use strict';
  var page = document;
  function all(query) { return Array.prototype.slice.call(page.querySelectorAll(query)); }

  // What a link leads to is unfolded, with everything that it lies in.
  function reveal(hash) {
    var id = '';
    try { id = decodeURIComponent(hash.slice(1)); } catch (e) { return; }
    var found = id && page.getElementById(id);
    for (var at = found; at; at = at.parentElement) { if (at.tagName === 'DETAILS') at.open = true; }
    if (found) found.scrollIntoView();
  }
  addEventListener('hashchange', function () { reveal(location.hash); });
  page.addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('a[href^="#"]');
    if (link) reveal(link.getAttribute('href'));
  });
  reveal(location.hash);

  // On paper nothing is folded but the scenarios that passed: each of them is one line.
  var folded = [];
  addEventListener('beforeprint', function () {
    folded = all('details:not([open]):not([data-verdict="pass"])');
    folded.forEach(function (one) { one.open = true; });
  });
  addEventListener('afterprint', function () { folded.forEach(function (one) { one.open = false; }); });

  // A button beside each command. Where copying is not allowed, the command is selected.
  all('code.command').forEach(function (command) {
    var button = page.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'Copy';
    button.addEventListener('click', function () {
      var range = page.createRange();
      range.selectNodeContents(command);
      var chosen = getSelection();
      chosen.removeAllRanges();
      chosen.addRange(range);
      function said() { button.textContent = 'Copied'; }
      if (navigator.clipboard) navigator.clipboard.writeText(command.textContent).then(said, function () {});
    });
    command.parentNode.insertBefore(button, command.nextSibling);
  });

  // Filters by name and by verdict.
  var form = page.getElementById('filters');
  if (!form) return;
  form.hidden = false;
  var text = form.querySelector('input[type=search]'), told = form.querySelector('output');
  function filter() {
    var words = text.value.toLowerCase().split(/\s+/), wanted = {}, shown = 0, cards = 0;
    form.querySelectorAll('input[type=checkbox]').forEach(function (box) { wanted[box.value] = box.checked; });
    all('[data-name]').forEach(function (one) {
      var name = one.dataset.name.toLowerCase();
      var fits = wanted[one.dataset.verdict] && words.every(function (word) { return name.indexOf(word) >= 0; });
      one.classList.toggle('out', !fits);
      if (one.tagName === 'DETAILS') { cards += 1; shown += fits ? 1 : 0; }
    });
    all('details.group').forEach(function (group) {
      if (text.value && group.querySelector('[data-name]:not(.out)')) group.open = true;
    });
    told.textContent = shown + ' of ' + cards + ' shown';
  }
  form.addEventListener('input', filter);
  form.addEventListener('submit', function (event) { event.preventDefault(); });
})();
