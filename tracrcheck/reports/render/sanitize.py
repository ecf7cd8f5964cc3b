"""Replaces characters that XML, HTML or UTF-8 cannot hold, or that control a terminal."""

from __future__ import annotations

import re

# Characters that XML 1.0 cannot represent, even escaped (section 2.2), and the C1 control characters.
_NONE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def shown(text: str) -> str:
    """The text with U+FFFD in place of each such character."""
    return _NONE.sub("\ufffd", text)
