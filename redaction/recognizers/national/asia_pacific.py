"""Numbers of South, South-East and East Asia, of Australia and of New Zealand."""

from __future__ import annotations

from redaction.recognizers.national import checks
from redaction.recognizers.national.kind import Kind, digits
from redaction.recognizers.national.number import declare

declare(
    Kind(
        "IN_AADHAAR",
        (digits(12),),
        "in_.aadhaar",
        r"aadhaa?r|uidai?",
        grouped=r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}",
        divided=0.5,
    ),
    examples=("Aadhaar ⟦2341 2341 2346⟧", "⟦2341 2341 2346⟧", "aadhaar_no: ⟦234123412347⟧"),
    counter_examples=("order 234123412346", "2341 2341 2347", "2341 2341 2346 0000", "2341-2341-2346"),
)
declare(
    Kind(
        "IN_PAN",
        ("AAAAA9999A",),
        checks.pan,
        r"pan(?: card)?|permanent account",
        alone=0.6,
        checked=False,
    ),
    examples=("PAN ⟦ACUPA7085R⟧", "⟦ACUPA7085R⟧", "pan card no. ⟦acupa7085r⟧"),
    counter_examples=("ACUXA7085R", "acupa7085r"),
)
declare(
    Kind("IN_GSTIN", ("99AAAAA9999AXAX",), "in_.gstin", r"gst(?:in)?", alone=1.0, proves=True),
    examples=("GSTIN ⟦27AAPFU0939F1ZV⟧", "⟦27AAPFU0939F1ZV⟧"),
    counter_examples=("27AAPFU0939F1ZW",),
)
declare(
    Kind("IN_VOTER", ("AAA9999999",), "in_.epic", r"voter(?:s| id)?|epic|election"),
    examples=("voter ID ⟦WKH1186253⟧",),
    counter_examples=("lot WKH1186253",),
)
declare(
    Kind("IN_PASSPORT", ("A9999999",), checks.passport_digits, r"indian passport", checked=False, wrong=0.0),
    examples=("Indian passport ⟦J8369854⟧",),
    counter_examples=("lot J8369854",),
)
declare(
    Kind("SG_NRIC_FIN", ("A9999999A",), checks.nric, r"nric|fin|identity card", alone=0.6, proves=True),
    examples=("NRIC ⟦S1234567D⟧", "⟦S1234567D⟧", "FIN: ⟦M1234567K⟧"),
    counter_examples=("lot S1234567A",),
)
declare(
    Kind("SG_UEN", (digits(8) + "A", digits(9) + "A", "A99AA9999A"), "sg.uen", r"uen|unique entity|acra"),
    examples=("UEN ⟦00192200M⟧", "UEN: ⟦S16FC0121D⟧"),
    counter_examples=("lot 00192200M",),
)
declare(
    Kind(
        "HK_ID",
        ("A999999X", "AA999999X"),
        checks.hkid,
        r"hkid|hong kong id\w*|hk id",
        grouped=r"[A-Z]{1,2}[0-9]{6}\([0-9A]",
        divided=0.8,
    ),
    examples=("HKID ⟦A123456(3)⟧", "⟦A123456(3)⟧ of Kowloon", "Hong Kong identity card ⟦A1234563⟧"),
    counter_examples=("note A123456(4)", "lot A1234563"),
)
declare(
    Kind(
        "MY_NRIC",
        (digits(12),),
        "my.nric",
        r"my ?kad|nric|kad pengenalan|ic (?:number|no)",
        grouped=r"[0-9]{6}-[0-9]{2}-[0-9]{4}",
        divided=0.6,
    ),
    examples=("MyKad ⟦770305-02-1234⟧", "⟦770305-02-1234⟧", "IC no: ⟦770305021234⟧"),
    counter_examples=("771305-02-1234", "order 770305021234"),
)
declare(
    Kind(
        "TH_TNIN",
        (digits(13),),
        "th.pin",
        r"thai (?:national )?id|บัตรประชาชน|national id",
        grouped=r"[0-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]",
        divided=0.8,
    ),
    examples=("Thai ID ⟦3100600445635⟧", "⟦1-2345-45678-78-1⟧"),
    counter_examples=("1-2345-45678-78-9", "order 3100600445635"),
)
declare(
    Kind(
        "KR_RRN",
        (digits(13),),
        checks.rrn,
        r"rrn|resident registration|주민등록번호|주민번호",
        grouped=r"[0-9]{6}-[1-8][0-9]{6}",
        divided=0.6,
        checked=False,
    ),
    examples=("주민등록번호 ⟦971013-9019902⟧", "RRN: ⟦9710131019902⟧", "⟦971013-1019902⟧"),
    counter_examples=("971313-1019902", "order 9710131019902"),
)
declare(
    Kind("KR_BRN", (digits(10),), "kr.brn", r"brn|사업자(?:등록번호)?|business registration"),
    examples=("BRN ⟦116-82-00276⟧",),
    counter_examples=("ref 116-82-00276",),
)
declare(
    Kind("JP_MY_NUMBER", (digits(12),), "jp.in_", r"my number|individual number|マイナンバー|個人番号"),
    examples=("マイナンバー ⟦6214 9832 0257⟧", "My Number: ⟦621498320257⟧"),
    counter_examples=("order 621498320257",),
)
declare(
    Kind("JP_CORPORATE_NUMBER", (digits(13),), "jp.cn", r"corporate number|法人番号"),
    examples=("法人番号 ⟦5-8356-7825-6246⟧",),
    counter_examples=("order 5835678256246",),
)
declare(
    Kind(
        "CN_RESIDENT_ID",
        (digits(18), digits(17) + "A"),
        checks.resident_cn,
        r"resident id\w*|id card|身份证\w*|公民身份号码",
        alone=1.0,
        proves=True,
        shape="[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9]{6}[0-9X]",
    ),
    examples=("身份证号 ⟦360426199101010071⟧", "⟦11010519491231002X⟧", "resident ID ⟦110105194912310021⟧ is mistyped"),
    counter_examples=("110105194912310021", "order 360426199101010072"),
)
declare(
    Kind("CN_USCC", ("9XXXXXXXXXXXXXXXXX",), "cn.uscc", r"uscc|unified social credit|统一社会信用代码"),
    examples=("统一社会信用代码 ⟦91110000600037341L⟧",),
    counter_examples=("lot 91110000600037341L",),
)
declare(
    Kind("TW_ID", ("A999999999",), checks.id_tw, r"taiwan(?:ese)? id|身分證\w*|統一證號", alone=0.6),
    examples=("身分證字號 ⟦A123456789⟧", "⟦A123456789⟧"),
    counter_examples=("lot A123456788",),
)
declare(
    Kind("TW_UBN", (digits(8),), "tw.ubn", r"ubn|統一編號"),
    examples=("統一編號 ⟦00501503⟧",),
    counter_examples=("order 00501503",),
)
declare(
    Kind(
        "PH_TIN",
        (digits(9), digits(12), digits(14)),
        checks.tin_ph,
        r"(?:bir |philippine )tin|tin (?:no|number)",
        checked=False,
    ),
    examples=("BIR TIN ⟦123-456-789-000⟧", "TIN no. ⟦123-456-789⟧"),
    counter_examples=("order 123456789", "123-456-789-000"),
)
declare(
    Kind("ID_NIK", (digits(16),), "id.nik", r"nik|ktp|nomor induk"),
    examples=("NIK ⟦3171011708450001⟧",),
    counter_examples=("order 3171011708450001",),
)
declare(
    Kind("AU_TFN", (digits(9), digits(8)), "au.tfn", r"tfn|tax file"),
    examples=("TFN ⟦123 456 782⟧", "tax file number: ⟦123456782⟧", "taxFileNumber=⟦123456783⟧"),
    counter_examples=("order 123456782",),
)
declare(
    Kind(
        "AU_ABN",
        (digits(11),),
        "au.abn",
        r"abn|australian business",
        proves=True,
        grouped=r"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}",
        divided=0.6,
    ),
    examples=("ABN ⟦83 914 571 673⟧", "⟦83 914 571 673⟧", "abn: ⟦83914571673⟧"),
    counter_examples=("order 83914571673", "83 914 571 674"),
)
declare(
    Kind("AU_ACN", (digits(9),), "au.acn", r"acn|australian company"),
    examples=("ACN ⟦004 085 616⟧",),
    counter_examples=("order 004085616",),
)
declare(
    Kind("AU_MEDICARE", (digits(10), digits(11)), checks.medicare_au, r"medicare"),
    examples=("Medicare ⟦2123 45670 1⟧",),
    counter_examples=("2123 45670 1",),
)
declare(
    Kind("NZ_IRD", (digits(9), digits(8)), "nz.ird", r"ird(?: number| no)?"),
    examples=("IRD ⟦49-091-850⟧", "IRD number ⟦49098576⟧"),
    counter_examples=("order 49091850",),
)
