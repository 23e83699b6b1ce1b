"""QEMU's names (QKeyCode) of the keys of an American keyboard."""

_NAMED = {
    " ": "spc", "\n": "ret", "`": "grave_accent", "-": "minus", "=": "equal", "[": "bracket_left",
    "]": "bracket_right", "\\": "backslash", ";": "semicolon", "'": "apostrophe", ",": "comma",
    ".": "dot", "/": "slash",
}
_SHIFTED = dict(zip('~_+{}|:"<>?!@#$%^&*()', "`-=[]\\;',./1234567890"))


def qcode(letter):
    """(key, whether with shift) for an ASCII character."""
    shift = letter in _SHIFTED or letter.isupper()
    letter = _SHIFTED.get(letter, letter).lower()
    return _NAMED.get(letter, letter), shift
