"""A first draft of a mapping for a folder whose layout is foreign: what is certain, what is guessed, what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from volunteerkit.errors import nearest
from volunteerkit.exchange import decoding
from volunteerkit.exchange.layouts import ENTITIES, REQUIRED, is_title, recognise
from volunteerkit.exchange.reading import csv_files

__all__ = ["propose_mapping"]

_SESSION = {
    "checked_in_at": ("started_at", "check_in", "checkin", "clock_in", "签到时间", "签到"),
    "checked_out_at": ("finished_at", "ended_at", "check_out", "checkout", "clock_out", "签退时间", "签退"),
}


_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z _()/-]*[0-9]{0,2}")


def __dir__() -> list[str]:
    return __all__


def propose_mapping(folder: Path) -> str:
    """Return the text of a mapping for the CSV files of ``folder``, to be completed by hand.

    Columns that fit by name are placed, likely ones are placed with the word ``guess``, required fields
    without a column and columns without a field are listed as comments, by number where the first line may
    be no header but somebody's data. Raises ImportRefused for a file
    that cannot be read.
    """
    lines = [
        "# 映射草稿，请逐行核对后用 --mapping 导入。 A draft: check every line, then import with --mapping.",
        f"source = {_quoted(folder.name or 'city')}",
        "# 服务地点所在时区 the zone of the place",
        'zone = "Asia/Shanghai"',
    ]
    for path in csv_files(folder):
        header, _ = decoding.header(path)
        lines += ["", *_file(path, header)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _file(path: Path, header: list[str]) -> list[str]:
    found = recognise(header, path.stem)
    # Without a single title that is known, the first line may be somebody's row.
    shown = [(bool(found.columns) and _WORDS.fullmatch(title)) or is_title(title) for title in header]
    if not any(told and title.strip() for told, title in zip(shown, header, strict=True)):
        return [
            f"# {path.name}：第一行没有认识的列名，可能缺少表头。 No title in its first line is known; the header may be missing."
        ]
    lines = [
        "[[file]]",
        f"name = {_quoted(path.name)}",
        f"entity = {_quoted(found.entity)}",
        "[file.columns]",
    ]
    placed = {field: header[position] for field, position in found.columns.items()}
    lines += [f"{field} = {_quoted(title)}" for field, title in placed.items()]
    open_fields = [field for field in ENTITIES[found.entity] if field not in placed]
    left = []
    for place in found.unplaced:
        title = header[place]
        if not shown[place]:
            left.append(f"#{place + 1}")
            continue
        plain = title.casefold().replace(" ", "_")
        guess = next((field for field, titles in _SESSION.items() if plain in titles), "") or nearest(
            plain, open_fields
        )
        if guess:
            open_fields = [field for field in open_fields if field != guess]
            lines.append(f"{guess} = {_quoted(title)}  # 猜测 guess")
        else:
            left.append(title)
    lines += [
        f'# {field} = ""  # 必需，未找到 required, not found'
        for field in REQUIRED[found.entity]
        if field in open_fields
    ]
    if left:
        lines.append(f"# 未能放置的列 columns not placed: {', '.join(left)}")
    return lines
