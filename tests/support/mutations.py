"""Damages bytes the way that disks, editors and attackers do."""

from hypothesis import strategies as st

_FAR = 1 << 16


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """Change, remove, insert or repeat a few bytes, or cut the end off.

    What is drawn does not depend on `original`, so that hypothesis can replay it on a certificate made anew.
    """
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        kind, place, value = draw(st.integers(0, 5)), draw(st.integers(0, _FAR)), draw(st.integers(0, 255))
        if not data:
            break
        place %= len(data)
        if kind <= 2:
            data[place] = value
        elif kind == 3:
            del data[place : place + 1 + value // 16]
        elif kind == 4:
            data[place:place] = data[place : place + value]
        else:
            del data[place:]
    return bytes(data)
