"""Numbers of Türkiye, Israel and South Africa."""

from __future__ import annotations

from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind("TR_TCKN", (digits(11),), "tr.tckimlik", r"t\.? ?c\.? ?kimlik\w*|tckn|kimlik no|t\.c\.(?: no)?"),
    examples=("T.C. Kimlik No ⟦17291716060⟧", "TCKN: ⟦17291716060⟧"),
    counter_examples=("order 17291716060",),
)
declare(
    Kind("TR_VKN", (digits(10),), "tr.vkn", r"vkn|vergi (?:kimlik )?(?:no|numaras[ıi])"),
    examples=("VKN ⟦4540536920⟧",),
    counter_examples=("order 4540536920",),
)
declare(
    Kind("IL_ID", (digits(9),), "il.idnr", r"teudat zehut|israeli id|מספר זהות|תעודת זהות|ת\.ז\.?"),
    examples=("תעודת זהות ⟦039337423⟧", "Israeli ID: ⟦03933742-3⟧"),
    counter_examples=("order 039337423",),
)
declare(
    Kind("ZA_ID_NUMBER", (digits(13),), "za.idnr", r"(?:south african |sa |rsa )?id(?:entity)? (?:number|no)|rsa id"),
    examples=("South African ID number ⟦7503305044089⟧", "ID no. ⟦750330 5044 089⟧"),
    counter_examples=("order 7503305044089", "at 1701015044089 ms"),
)
