"""How a report looks: its colours, in light and in dark, and the style sheet of its page."""

from __future__ import annotations

# What stands on the paper changes with it; the same name is a variable of the style sheet.
LIGHT = {
    "ink": "#1d242c",
    "soft": "#5b6570",
    "line": "#d5dae0",
    "none": "#e3e7ec",
    "paper": "#ffffff",
    "tile": "#f4f6f8",
}
DARK = {
    "ink": "#e7ebf0",
    "soft": "#a3adb8",
    "line": "#3d4650",
    "none": "#323a43",
    "paper": "#15191e",
    "tile": "#1e242b",
}
# What means something is the same on both, and told apart without seeing red or green.
GOOD, SHAKY, BAD = "#2e9e5b", "#e0a526", "#c8402f"
PALETTE = ("#3f78c4", "#d98032", "#8a6cc9", "#2f9e8f", "#c2557a")
CACHE = "#8b949e"


def variables(colours: dict[str, str]) -> str:
    """Colours as declarations of a style sheet."""
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


# Dark where the machine is, unless the notebook around it says that it is light; and the reverse.
_IN_LIGHT = f"{{{variables(LIGHT)};color-scheme:light}}"
_IN_DARK = f"{{{variables(DARK)};color-scheme:dark}}"
STYLE = f"""
.orr{_IN_LIGHT}
@media (prefers-color-scheme:dark){{.orr{_IN_DARK}}}
[data-jp-theme-light=true] .orr,.vscode-light .orr{_IN_LIGHT}
[data-jp-theme-light=false] .orr,.vscode-dark .orr{_IN_DARK}
.orr{{font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);
background:var(--paper);max-width:54rem;padding:1.5rem;border-radius:.5rem;box-sizing:border-box;
overflow-wrap:anywhere;text-align:left}}
.orr h1,.orr h2{{color:inherit;font-weight:650;line-height:1.25}}
.orr h1{{font-size:1.35rem;margin:0}}
.orr h2{{font-size:1.1rem;margin:2.2rem 0 .6rem}}
.orr p{{margin:.35rem 0}}
.orr .big{{font-size:3rem;font-weight:700;line-height:1.1;margin:1.2rem 0 .4rem;
letter-spacing:-.02em}}
.orr .said{{font-size:1.05rem}}
.orr .soft{{color:var(--soft);font-size:.9rem}}
.orr .tiles{{display:grid;grid-template-columns:repeat(4,1fr);gap:.75rem;margin:1.4rem 0 0}}
.orr .tile{{background:var(--tile);border-radius:.5rem;padding:.7rem .85rem}}
.orr .tile b{{display:block;font-size:1.3rem;line-height:1.3}}
.orr .tile span{{color:var(--soft);font-size:.85rem;line-height:1.3;display:block}}
.orr table{{border-collapse:collapse;border:0;width:100%;margin:0;font-size:.92rem;
font-variant-numeric:tabular-nums;table-layout:auto}}
.orr table tr,.orr table td{{background:none!important;color:var(--ink);border:0}}
.orr table tr{{border-bottom:1px solid var(--line)}}
.orr table th,.orr table td{{text-align:right;padding:.4rem 0 .4rem 1.1rem;vertical-align:top;
white-space:nowrap;max-width:none}}
.orr table th{{color:var(--soft);background:none;border:0;font-weight:500;font-size:.85rem}}
.orr table .text{{text-align:left}}
.orr table th:first-child,.orr table td:first-child{{padding-left:0;white-space:normal}}
.orr tr.lead td{{font-weight:650}}
.orr table tr.sub td:first-child{{padding-left:1.2rem;color:var(--soft)}}
.orr .key{{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;color:var(--soft);font-size:.85rem}}
.orr .key i{{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em}}
.orr picture{{display:block}}
.orr img{{display:block;width:100%;max-width:100%;height:auto;margin:0}}
@media (max-width:600px){{.orr{{padding:1.1rem;font-size:15px}}.orr .big{{font-size:2.6rem}}
.orr .tiles{{grid-template-columns:1fr 1fr}}
.orr table thead{{display:none}}.orr table,.orr tbody{{display:block}}
.orr table tr{{display:grid;grid-template-columns:1fr 1fr 1.3fr;gap:.25rem .6rem;padding:.55rem 0}}
.orr table td,.orr table td.text{{text-align:left;padding:0;white-space:normal}}
.orr table td:first-child{{grid-column:1/-1;font-weight:600}}
.orr table td[data-name]::before{{content:attr(data-name);display:block;color:var(--soft);
font-size:.8rem}}}}
"""
