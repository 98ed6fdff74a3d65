"""Pages that show the built scripts as their hosts do: a report upgraded in place, and a widget with a model."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sima_compiler.view.page import packed_text
from tests.labextension.sample_views import embedded

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "compiler" / "sima_compiler" / "view" / "static"
WIDGET = ROOT / "sima_nb" / "static" / "widget.js"
HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>views</title></head>'
STYLE = "<style>@media screen{[data-sima-live]>:not(.sima-view){display:none}}</style>"

#: What a notebook does around a view: it listens further up for single keys, and counts what reaches it.
LISTENERS = """<script>
window.reached = [];
for (const kind of ["keydown", "keypress", "keyup"])
  document.addEventListener(kind, event => window.reached.push(event.key));
</script>"""

#: The part of anywidget's model that a widget uses; what it does is kept in `window.model`.
MODEL = """
const handlers = {};
window.model = {
  traits: TRAITS, sent: [], sets: [], saves: 0,
  get(name) { return this.traits[name]; },
  set(name, value) { this.traits[name] = value; this.sets.push([name, value]); },
  save_changes() { this.saves++; },
  send(message) { this.sent.push(message); },
  on(event, handle) { (handlers[event] ??= new Set()).add(handle); },
  off(event, handle) { handlers[event]?.delete(handle); },
  fire(event, ...given) { for (const handle of [...(handlers[event] ?? [])]) handle(...given); },
  listeners() { return Object.values(handlers).reduce((sum, set) => sum + set.size, 0); },
  // Python sets a trait: the value changes and the page hears of it.
  assign(name, value) { this.traits[name] = value; this.fire("change:" + name); },
};
"""


def report_page(data: dict[str, Any], *, packed: bool = False) -> str:
    """A static form and the script that upgrades it; ``packed`` as a saved notebook carries both."""
    static = '<section data-sima-upgrade="explorer"><p id="static">the static form</p></section>'
    script = (STATIC / "inline.js").read_text("ascii")
    if packed:
        boot = (STATIC / "boot.js").read_text("ascii")
        scripts = (
            f'<script type="text/plain" data-sima-view data-sima-gzip>{packed_text(json.dumps(data))}</script>',
            f'<script type="text/plain" data-sima-packed>{packed_text(script)}</script><script>{boot}</script>',
        )
    else:
        head = f'<script type="application/json" data-sima-view>{embedded(data)}</script>'
        scripts = (head, f"<script>{script}</script>")
    return f"{HEAD}<body>{STYLE}<main data-sima-report>{scripts[0]}{static}</main>{scripts[1]}</body></html>"


def widget_page(view: str, data: dict[str, Any], *, body: str = "", **traits: Any) -> str:
    """A widget mounted as anywidget does it; ``window.dispose`` ends it. ``body`` is the body element's attributes."""
    values = {"_view": view, "_head": json.dumps(data), "_columns": None, "_offers": [], **traits}
    module = base64.b64encode(WIDGET.read_bytes()).decode("ascii")
    start = (
        f"<script type=module>{MODEL.replace('TRAITS', embedded(values))}"
        f'const found = await import("data:text/javascript;base64,{module}");'
        'window.widget = found.default; window.el = document.getElementById("here");'
        "window.dispose = window.widget.render({ model: window.model, el: window.el });"
        "window.ready = true;</script>"
    )
    return f'{HEAD}<body {body}><main id="here"></main>{LISTENERS}{start}</body></html>'
