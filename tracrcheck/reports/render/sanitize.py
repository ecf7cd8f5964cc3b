"""Characters that neither XML, nor HTML, nor a file of UTF-8 can hold, or that steer a terminal."""

from __future__ import annotations

import re

# What XML 1.0 has no way to write, escaped or not (section 2.2), and the second half of the control characters.
_NONE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def shown(text: str) -> str:
    """The text with a mark in the place of each such character."""
    return _NONE.sub("\ufffd", text)
