"""Bars as SVG: one panel for each figure, below one another. Imported by tests/bench/network."""
import math

COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677")
WIDTH, HEIGHT, PLOT = 860, 300, 200


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def panel(title, groups, line, top):
    """Title, {group: {series: value}}, a value to mark or None, and where the panel begins."""
    series = list(dict.fromkeys(name for rows in groups.values() for name in rows))
    values = [value for rows in groups.values() for value in rows.values() if not math.isnan(value)]
    most = max([*values, line or 0]) or 1
    step = (WIDTH - 40) / len(groups)
    bar = min(40, (step - 20) / len(series))
    base = top + 30 + PLOT
    parts = [f'<text x="10" y="{top + 18}" font-weight="bold">{title}</text>']
    for i, (group, rows) in enumerate(groups.items()):
        for j, name in enumerate(series):
            value = rows.get(name, math.nan)
            if math.isnan(value):
                continue
            height = value / most * (PLOT - 20)
            x = 30 + i * step + j * bar
            parts.append(f'<rect x="{x:.1f}" y="{base - height:.1f}" width="{bar - 4:.1f}" height="{height:.1f}" fill="{COLOURS[j % 5]}"/>'
                         f'<text x="{x:.1f}" y="{base - height - 4:.1f}" font-size="10">{number(value)}</text>')
        parts.append(f'<text x="{30 + i * step:.1f}" y="{base + 16}">{group}</text>')
    if line:
        y = base - line / most * (PLOT - 20)
        parts.append(f'<line x1="20" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#aa3377" stroke-dasharray="6 4"/>')
    for j, name in enumerate(series):
        parts.append(f'<rect x="{30 + j * 150}" y="{base + 26}" width="12" height="12" fill="{COLOURS[j % 5]}"/>'
                     f'<text x="{47 + j * 150}" y="{base + 37}">{name}</text>')
    return parts


def draw(path, panels):
    """@panels: (title, groups, line) each."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(panels)}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>']
    for i, (title, groups, line) in enumerate(panels):
        parts += panel(title, groups, line, i * HEIGHT)
    with open(path, "w") as out:
        out.write("\n".join(parts) + "\n</svg>\n")
