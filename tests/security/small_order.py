"""The encodings of small order on Curve25519, found by arithmetic and not listed."""

from __future__ import annotations

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
SUBGROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Affine addition on the twisted Edwards curve of RFC 8032, an independent witness."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x3, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def multiple(n: int, point: Point) -> Point:
    total = (0, 1)
    for bit in bin(n)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def decode(encoding: bytes) -> Point | None:
    """The point of an encoding, reduced modulo p; None if there is none."""
    number = int.from_bytes(encoding, "little")
    y, sign = (number & (2**255 - 1)) % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square:
        return None
    return (P - x if x % 2 != sign and x else x), y


def small_order_encodings() -> list[bytes]:
    """All encodings, canonical or not, of the eight points of small order: found, not listed."""
    torsion = next(
        t
        for y in range(2, 99)
        if (point := decode(y.to_bytes(32, "little"))) and multiple(4, t := multiple(SUBGROUP_ORDER, point)) != (0, 1)
    )
    ys = {multiple(n, torsion)[1] for n in range(8)}
    every = {y + extra for y in ys for extra in (0, P) if y + extra < 2**255}
    return sorted((y | sign << 255).to_bytes(32, "little") for y in every for sign in (0, 1))


SMALL = small_order_encodings()
IDENTITY = (1).to_bytes(32, "little")
FORGED = IDENTITY + bytes(32)
"""With the identity as key, R = identity and S = 0 sign every message."""
