"""`python -m shop.locale.messages`: brings the translations in line with the code.

Finds every text that is marked for translation in code and templates, updates each django.po (what
is new has no translation yet, what is gone is dropped) and compiles it to the django.mo that Django
reads. Both are committed, so a shop needs neither this nor GNU gettext to run. Exits with 1 and
names what has no translation. English needs no file: the texts in the code are English.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

LOCALES = Path(__file__).resolve().parent
ROOT = LOCALES.parents[1]
KEYWORDS = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def translations() -> Iterator[Path]:
    """The .po files, one per language."""
    return iter(sorted(LOCALES.glob("*/LC_MESSAGES/django.po")))


def _extract_template(
    file: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[Any, ...]]:
    """Texts of a Django template, which Django itself can turn into something like Python."""
    python = templatize(file.read().decode())
    # What is left of a template's indentation means nothing, but Python's tokenizer minds it.
    flat = "\n".join(line.strip() for line in python.splitlines())
    return extract_python(BytesIO(flat.encode()), keywords, comment_tags, options)


METHODS: Any = [("**.py", "python"), ("**/templates/**.html", _extract_template)]


def marked() -> Catalog:
    """Every text of the shop's apps that is marked for translation."""
    found = Catalog()
    for package in sorted(path.parent for path in ROOT.glob("*/apps.py")):
        for name, _line, text, comments, context in extract_from_dir(
            package, method_map=METHODS, keywords=KEYWORDS, comment_tags=["Translators:"]
        ):
            found.add(
                text,
                locations=[(f"{package.name}/{name}", 0)],
                auto_comments=comments,
                context=context,
            )
    return found


def load(po: Path) -> Catalog:
    """A .po file as it stands."""
    with po.open("rb") as file:
        return read_po(file, locale=po.parents[1].name, domain="django")


def updated(po: Path) -> Catalog:
    """A .po file's translations of the texts that are in the code now."""
    catalog = load(po)
    # A guess that looks finished would be worse than a gap.
    catalog.update(marked(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """The .mo file of a catalog."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def untranslated(catalog: Catalog) -> list[str]:
    """The texts without a translation, or with a plural form that has none."""
    return [
        str(message.id)
        for message in catalog
        if message.id
        and not (all(message.string) if isinstance(message.string, tuple) else message.string)
    ]


def main() -> int:
    missing = 0
    for po in translations():
        catalog = updated(po)
        with po.open("wb") as file:
            write_po(file, catalog, sort_output=True, include_lineno=False, width=100)
        po.with_suffix(".mo").write_bytes(compiled(catalog))
        for text in untranslated(catalog):
            missing += 1
            print(f"{po.relative_to(ROOT)}: no translation of {text!r}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
