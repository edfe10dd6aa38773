"""The diagram of RFC 6455 §5.2 for one frame: with the bits that it has, and the fields that it has only."""

from __future__ import annotations

from itertools import pairwise

from analyzer.tui.lines import Line, Piece
from analyzer.tui.looks import Signs
from dissectors.websocket.header import Field

ROW = 32
"""Bits in a row of the diagram, as the RFC has them."""
FIELD_STYLES = {
    "FIN": "good", "RSV1": "note", "RSV2": "dim", "RSV3": "dim", "opcode": "odd", "MASK": "client",
    "payload length": "server", "extended payload length": "server", "masking key": "client", "payload": "plain",
}  # fmt: skip


def diagram(fields: list[Field], octets: bytes, signs: Signs, chosen: str = "") -> list[Line]:
    """Rows of 32 bits: a ruler, the names of the fields, their bits. The field `chosen` is marked."""
    bits = "".join(f"{octet:08b}" for octet in octets)
    across, down = signs.box[4], signs.box[5]
    rows: list[Line] = [[Piece(_ruler(), "dim")]]
    for start in range(0, len(bits), ROW):
        inside = [field for field in fields if field.bit < start + ROW and field.bit + field.bits > start]
        edges = {max(field.bit, start) - start for field in inside}
        edges |= {min(field.bit + field.bits, start + ROW) - start for field in inside}
        end = min(len(bits) - start, ROW)
        edges |= {0, end}
        rule = "".join("+" if column // 2 in edges and column % 2 == 0 else across for column in range(2 * end + 1))
        rows.append([Piece(rule, "line")])
        names: list[Piece] = [Piece(down, "line")]
        values: list[Piece] = [Piece(down, "line")]
        cuts = sorted(edges)
        for left, right in pairwise(cuts):
            field = next((one for one in inside if one.bit <= start + left < one.bit + one.bits), None)
            width = 2 * (right - left) - 1
            known = field.name if field else "payload"
            style = "here" if known == chosen else FIELD_STYLES.get(known, "plain")
            names.append(Piece(_name(field, width).center(width), style))
            shown = " ".join(bits[start + left : start + right])
            values.append(Piece(shown.center(width), style))
            names.append(Piece(down, "line"))
            values.append(Piece(down, "line"))
        rows += [names, values]
    rows.append([Piece("+" + across * (2 * min(len(bits) - start, ROW) - 1) + "+" if bits else "", "line")])
    return rows


def legend(fields: list[Field], chosen: str = "") -> list[Line]:
    """What each field says."""
    told: list[Line] = []
    for field in fields:
        octet = (
            f"octet {field.bit // 8}"
            if field.bits <= 8
            else f"octets {field.bit // 8}-{(field.bit + field.bits) // 8 - 1}"
        )
        mark = ">" if field.name == chosen else " "
        value = f"0x{field.value:X}" if field.name in ("opcode", "masking key") else str(field.value)
        style = "here" if field.name == chosen else FIELD_STYLES.get(field.name, "plain")
        told.append(
            [Piece(f"{mark} {field.name:<24}", style),
             Piece(f"{value:>12}  "), Piece(f"{field.meaning}  "), Piece(f"{octet}, {field.source}", "dim")]
        )  # fmt: skip
    return told


SHORT = {"payload length": "len", "extended payload length": "extended length", "masking key": "masking key",
         "FIN": "F", "RSV1": "1", "RSV2": "2", "RSV3": "3", "MASK": "M"}  # fmt: skip


def _name(field: Field | None, width: int) -> str:
    if field is None:
        return "payload"[:width]
    return field.name if len(field.name) <= width else SHORT.get(field.name, field.name)[:width]


def _ruler() -> str:
    return " " + "".join(f"{bit % 10} " for bit in range(ROW))
