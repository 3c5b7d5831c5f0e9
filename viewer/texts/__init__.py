"""Every sentence the pages say: one file per page and language, found by `page.key`."""

from __future__ import annotations

import json
import tomllib
from functools import cached_property
from pathlib import Path

from services.words import Say

_FOLDER = Path(__file__).parent
_SCRIPTS = "js"


class Texts:
    """The catalogue of one language.

    Args:
        language: name of a folder beside this module.

    Raises:
        ValueError: two texts of a page have the same key.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._texts: dict[str, str] = {}
        self._scripts: dict[str, str] = {}
        for file in sorted((_FOLDER / language).glob("*.toml")):
            document = tomllib.loads(file.read_text(encoding="utf-8"))
            for key, text in document.pop(_SCRIPTS, {}).items():
                self._scripts[f"{file.stem}.{key}"] = text
            for key, text in document.items():
                self._texts[f"{file.stem}.{key}"] = text

    def __call__(self, key: str, **values: object) -> str:
        """A text with its `{places}` filled.

        Raises:
            KeyError: there is no such text, or a place has no value.
        """
        text = self._texts[key]
        return text.format(**values) if values else text

    def line(self, key: str, **values: object) -> bytes:
        """A text as the whole body of an answer."""
        return f"{self(key, **values)}\n".encode()

    def of(self, page: str) -> Say:
        """The texts of one page, by their key alone; for what is said on a terminal, too."""
        return lambda key, /, **values: self(f"{page}.{key}", **values)

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    @cached_property
    def script(self) -> bytes:
        """The texts of the scripts as an ES module: `import { t } from "./texts.js"`."""
        table = json.dumps(self._scripts, ensure_ascii=False, sort_keys=True)
        return (
            f"const TEXTS = {table};\n"
            "export function t(key, values = {}) {\n"
            "  const text = TEXTS[key];\n"
            "  if (text === undefined) throw new Error(`no text ${key}`);\n"
            "  return text.replace(/\\{(\\w+)\\}/g, (_, name) => values[name] ?? `{${name}}`);\n"
            "}\n"
        ).encode()
