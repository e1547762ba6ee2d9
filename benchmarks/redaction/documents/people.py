"""People of many cultures: names from lists of our own and from Faker's, and what belongs to a person."""

from __future__ import annotations

import unicodedata
from datetime import date
from functools import cache, cached_property
from random import Random
from typing import Any

from faker import Faker

from benchmarks.redaction.documents import national
from benchmarks.redaction.documents.numbers import digits
from benchmarks.redaction.documents.places import LANDS, postal

# culture: women's names; men's names; surnames; an underscore is a space
_OWN = {
    "akan yoruba igbo": (
        "Abena Folasade Ngozi Adaeze Yetunde Akosua Chidinma Efua Omotola Ifeoma",
        "Kwabena Olumide Chukwuemeka Kofi Babatunde Obinna Yaw Segun Nnamdi Kojo",
        "Okonkwo Adeyemi Mensah Owusu Eze Nwachukwu Boateng Ogunleye Asante Bankole Obi Amoah",
    ),
    "east african": (
        "Wanjiru Achieng Makena Hodan Tigist Neema Zawadi Selam",
        "Kamau Otieno Juma Abdirahman Dawit Baraka Mwangi Yonas",
        "Njoroge Ochieng Mutua Warsame Tesfaye Kimani Mwangi Haile Odhiambo Wekesa",
    ),
    "arab": (
        "Fatima Layla Noor Maryam Huda Rania Salma Yasmin",
        "Omar Khalid Yousef Tariq Mahmoud Hassan Faisal Ziad",
        "Al-Rashid Haddad Mansour El-Sayed Khoury Nasser Al_Maktoum bin_Saeed Abdel-Rahman Darwish",
    ),
    "chinese": (
        "Xiuying Meiling Jiayi Yuxin Qian Lihua Shu-Fen Wenjing",
        "Wei Zhiqiang Haoran Jianguo Guo-Liang Yichen Bo Xiaoming",
        "Zhang Li Huang Zhou Xu Ouyang Ng Tsai Cheung Feng Qiu Szeto",
    ),
    "korean": (
        "Ji-woo Soo-ah Hye-jin Minseo Eun-ji Yuna",
        "Min-jun Seung-ho Jae-hyun Dongwoo Sang-chul Hyun",
        "Kim Park Choi Jeong Yoon Kang Noh Bae Seo",
    ),
    "japanese": (
        "Haruka Yui Sakura Michiko Aoi Naoko",
        "Kenji Takashi Ren Shinichi Daisuke Yōsuke",
        "Tanaka Kobayashi Matsumoto Fujiwara Ōno Ishikawa Nakamura Hayashi",
    ),
    "vietnamese": (
        "Thị_Lan Ngọc_Anh Thu_Hà Bích_Ngọc Mai",
        "Văn_Hùng Minh_Quân Đức_Thắng Quốc_Bảo Tuấn",
        "Nguyễn Trần Phạm Lê Huỳnh Đặng Vũ",
    ),
    "indian": (
        "Lakshmi Priyanka Ananya Meenakshi Kavya Shreya Gurpreet Nandini Ayesha",
        "Rajesh Arjun Venkatesh Harpreet Siddharth Karthik Imran Vikram Anirudh",
        "Iyer Chatterjee Reddy Subramanian Singh Kaur Deshpande Mukherjee Nair Patel Krishnamurthy Sheikh Bhattacharya",
    ),
    "persian armenian georgian turkic": (
        "Shirin Anahit Nino Aylin Parisa Tamar Gülsüm",
        "Dariush Vardan Giorgi Emre Kaveh Levon Çağlar",
        "Farahani Petrosyan Beridze Yıldız Ghorbani Sarkisian Kapanadze Öztürk Rahimov",
    ),
    "hebrew yiddish": (
        "Tova Rivka Shira Noa Yael",
        "Moshe Avi Yitzhak Eitan Mendel",
        "Rosenzweig Ben-David Mizrahi Abramov Perlmutter Katz",
    ),
    "slavic": (
        "Oksana Ljiljana Anastasiya Bożena Zorica Světlana Halyna",
        "Bohdan Nemanja Vyacheslav Grzegorz Miloš Tomislav Ihor",
        "Shevchenko Đorđević Wiśniewski Kovačević Dvořák Horváth Bondarenko Petrović Sokolova Zając",
    ),
    "nordic baltic": (
        "Sigríður Ragnhild Kerttu Māra Þóra Åsa Eglė",
        "Bjørn Guðmundur Väinö Jānis Søren Leif Mantas",
        "Þorsteinsdóttir Jónsson Kjærgaard Lindqvist Korhonen Bērziņš Østergård Kazlauskas Mägi",
    ),
    "celtic": (
        "Siobhán Niamh Aoife Eilidh Carys Gwenllian",
        "Pádraig Ruairí Hamish Iolo Cillian Alasdair",
        "O'Shaughnessy MacKinnon Ó_Briain Ap_Gwilym McIlroy Llewellyn O’Dowd FitzGerald",
    ),
    "dutch": (
        "Marijke Saskia Fleur Annelies",
        "Joost Diederik Sjoerd Willem-Jan",
        "van_der_Meulen de_Vries ten_Brinke van_'t_Hof IJzerman Hoekstra",
    ),
    "iberian": (
        "María_José Inês Begoña Ximena Conceição Ana_Sofía Nerea",
        "José_Luis João_Pedro Íñigo Álvaro Luís_Miguel Jordi Santiago",
        "Muñoz Ortega Muñoz_Ortega de_la_Cruz Gonçalves Etxeberria García-Páez dos_Santos Quiñones Vázquez_Montalbán",
    ),
    "polynesian malay": (
        "Moana Siti_Nurhaliza Lupe Aroha Dewi",
        "Tane Ahmad_Faiz Sione Wiremu Agus",
        "Tuilagi Ngata binti_Ismail Kealoha Wijaya Taufa",
    ),
    "anglo": (
        "Harriet Beverley Tamsin Philippa Deborah Charlene Kaitlyn Winifred",
        "Rupert Clifford Desmond Nigel Tyrone Garrett Wendell Barnaby",
        "Featherstone Pemberton Hollis Whitcombe Ashdown Crowther Tillman Beauchamp St._John Braithwaite-Hughes",
    ),
}

_LANDS_OWN = {
    "US": ("anglo", "iberian", "chinese", "hebrew yiddish", "akan yoruba igbo", "polynesian malay"),
    "GB": ("anglo", "celtic", "indian"), "IE": ("celtic",), "NL": ("dutch",), "BE": ("dutch",),
    "ES": ("iberian",), "PT": ("iberian",), "BR": ("iberian",), "MX": ("iberian",), "CA": ("anglo", "celtic", "slavic"),
    "AU": ("anglo", "vietnamese", "polynesian malay"), "IN": ("indian",), "SG": ("chinese", "indian",
    "polynesian malay"),
    "JP": ("japanese",), "AE": ("arab", "persian armenian georgian turkic"), "NG": ("akan yoruba igbo",),
    "ZA": ("anglo", "dutch", "east african"), "SE": ("nordic baltic",), "NO": ("nordic baltic",),
    "DK": ("nordic baltic",), "FI": ("nordic baltic",), "PL": ("slavic",), "CZ": ("slavic",),
}  # fmt: skip

_FAKER = {
    "US": "en_US", "GB": "en_GB", "IE": "en_IE", "DE": "de_DE", "AT": "de_AT", "CH": "fr_CH", "FR": "fr_FR",
    "ES": "es_ES", "IT": "it_IT", "NL": "nl_NL", "BE": "nl_BE", "SE": "sv_SE", "NO": "no_NO", "DK": "da_DK",
    "FI": "fi_FI", "PL": "pl_PL", "CZ": "cs_CZ", "PT": "pt_PT", "CA": "fr_CA", "AU": "en_AU", "IN": "en_IN",
    "BR": "pt_BR", "MX": "es_MX", "ZA": "zu_ZA", "NG": "yo_NG", "AE": "tr_TR", "SG": "id_ID", "JP": "vi_VN",
}  # fmt: skip


@cache
def _faker(locale: str) -> Faker:
    return Faker(locale)


def _own_names(rng: Random, culture: str, sex: str) -> tuple[str, str]:
    women, men, last = _OWN[culture]
    return tuple(rng.choice(names.split()).replace("_", " ") for names in (women if sex == "F" else men, last))  # type: ignore[return-value]


def ascii_fold(text: str) -> str:
    special = str.maketrans(
        {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "Þ": "Th", "þ": "th", "ð": "d",
         "æ": "ae", "Æ": "Ae", "ı": "i", "œ": "oe", "’": "'"}
    )  # fmt: skip
    plain = unicodedata.normalize("NFD", text.translate(special))
    return "".join(c for c in plain if not unicodedata.combining(c) and ord(c) < 128)


_MAIL = (
    "fernhill-mail.co.uk", "gmail.com", "outlook.com", "posteo.de", "laposte.net", "tiscali.it", "yahoo.co.in",
    "uol.com.br", "bluewin.ch", "proton.me", "kowloonpost.hk", "ziggo.nl", "wp.pl", "icloud.com",
)  # fmt: skip

# country: dialling code, national forms; N is 2-9, # any digit
_PHONES = {
    "US": ("1", ("(612) NNN-####", "718-NNN-####", "404.NNN.####", "206 NNN ####")),
    "CA": ("1", ("(416) NNN-####", "604-NNN-####", "514 NNN ####")),
    "GB": ("44", ("020 7946 0###", "07712 3#####", "0161 496 0###", "07911 12####")),
    "IE": ("353", ("085 NNN ####", "01 6NN ####")), "DE": ("49", ("0171 NN#####", "030 2NN ####", "0151-NN######")),
    "AT": ("43", ("0664 NN#####", "01 58#####")), "CH": ("41", ("079 NNN ## ##", "044 6NN ## ##")),
    "FR": ("33", ("06 1# ## ## ##", "01 42 ## ## ##", "06.2#.##.##.##")),
    "ES": ("34", ("6## ### ###", "91 4## ## ##", "612-34-##-##")), "IT": ("39", ("347 NN#####", "06 69## ####")),
    "NL": ("31", ("06-2#######", "020 5## ## ##")), "BE": ("32", ("047# ## ## ##", "02 5## ## ##")),
    "SE": ("46", ("070-2## ## ##", "08-5## ### ##")), "NO": ("47", ("41# ## ###", "22 3# ## ##")),
    "DK": ("45", ("20 2# ## ##", "33 1# ## ##")), "FI": ("358", ("040 5## ####", "09 61## ###")),
    "PL": ("48", ("601 ### ###", "22 6## ## ##")), "CZ": ("420", ("602 ### ###", "224 ### ###")),
    "PT": ("351", ("912 ### ###", "213 ### ###")), "AU": ("61", ("0412 ### ###", "(02) 92## ####")),
    "IN": ("91", ("98### #####", "080 26## ####")), "SG": ("65", ("91## ####", "63## ####")),
    "BR": ("55", ("(11) 98###-####", "(21) 3###-####")), "MX": ("52", ("55 52## ####", "33 38## ####")),
    "ZA": ("27", ("082 NNN ####", "021 4## ####")), "JP": ("81", ("090-2N##-####", "03-35##-####")),
    "AE": ("971", ("050 NNN ####", "04 3## ####")), "NG": ("234", ("0803 NNN ####", "0806 NNN ####")),
}  # fmt: skip


def phone(rng: Random, country: str, *, international: bool | None = None) -> str:
    code, forms = _PHONES[country]
    form = rng.choice(forms)
    local = "".join(rng.choice("23456789") if c == "N" else digits(rng, 1) if c == "#" else c for c in form)
    if not (rng.random() < 0.55 if international is None else international):
        return local
    trunk = local.lstrip("(")
    keeps_zero = country in ("IT", "US", "CA", "ES", "NO", "DK", "PL", "CZ", "PT", "SG", "MX", "BR")
    bare = local if keeps_zero else (local[:1] if local[0] == "(" else "") + trunk[1:] if trunk[0] == "0" else local
    if bare.startswith("(") and country not in ("US", "CA"):
        bare = bare.replace("(", "").replace(")", "")
    exit_code = "+" if country in ("US", "CA", "AU", "SG", "BR", "JP", "NG") else "00"
    return rng.choice((f"+{code} {bare}", f"+{code} {bare}", f"{exit_code}{code} {bare}", f"+{code}{_plain(bare)}"))


def _plain(number: str) -> str:
    return "".join(c for c in number if c.isdigit())


class Person:
    """One person; everything about them is made when it is first asked for, and then stays."""

    def __init__(self, rng: Random, country: str) -> None:
        self.rng = rng
        self.country = country
        self.sex = rng.choice("MF")
        self.first, self.last = self._names()
        self.middle = rng.choice("ABCDEFGHJKLMNPRSTW")
        self.born = date(rng.randint(1938, 2006), rng.randint(1, 12), rng.randint(1, 28))

    def _names(self) -> tuple[str, str]:
        rng = self.rng
        if rng.random() < 0.12:
            return _own_names(rng, rng.choice(tuple(_OWN)), self.sex)
        if self.country in _LANDS_OWN and rng.random() < 0.6:
            return _own_names(rng, rng.choice(_LANDS_OWN[self.country]), self.sex)
        faker: Any = _faker(_FAKER[self.country])
        faker.seed_instance(rng.getrandbits(48))
        first = faker.first_name_female() if self.sex == "F" else faker.first_name_male()
        return first, faker.last_name()

    @cached_property
    def full(self) -> str:
        first = self.first
        if self.country in ("US", "CA", "ZA") and self.rng.random() < 0.3:
            first += f" {self.middle}."
        return f"{first} {self.last}"

    @cached_property
    def handle(self) -> str:
        first, last = (ascii_fold(part).lower().replace(" ", "").replace("'", "") for part in (self.first, self.last))
        forms = (f"{first}.{last}", f"{first[:1]}{last}", f"{last}.{first}", f"{first}_{last}{self.born:%y}")
        return self.rng.choice(forms).strip(".").replace("-", "") or "client"

    @cached_property
    def email(self) -> str:
        return f"{self.handle}@{self.rng.choice(_MAIL)}"

    @cached_property
    def phone(self) -> str:
        return phone(self.rng, self.country)

    @cached_property
    def mobile(self) -> str:
        return phone(self.rng, self.country, international=True)

    @cached_property
    def address(self) -> list[str]:
        return postal(self.rng, self.country)

    @cached_property
    def nrp(self) -> str:
        return LANDS[self.country].nrp

    @cached_property
    def age(self) -> int:
        return 2026 - self.born.year

    @cached_property
    def number(self) -> tuple[str, str, str]:
        """The state's number of a person: how it is called, its type, itself."""
        rng, born, sex = self.rng, self.born, self.sex
        first, last = ascii_fold(self.first), ascii_fold(self.last)
        makers: dict[str, tuple[tuple[str, ...], str, Any]] = {
            "US": (("SSN", "Social Security Number", "Social Security No."), "US_SSN", lambda: national.ssn(rng)),
            "GB": (("National Insurance number", "NINO", "NI number"), "UK_NINO", lambda: national.nino(rng)),
            "IE": (("PPS number", "PPSN", "PPS No."), "IE_PPS", lambda: national.pps(rng)),
            "DE": (("Steuer-ID", "Tax ID (IdNr.)", "Steuerliche Identifikationsnummer"), "DE_TAX_ID",
                   lambda: national.german_tax_id(rng)),
            "FR": (("NIR", "N° de sécurité sociale", "INSEE number (NIR)"), "FR_NIR",
                   lambda: national.nir(rng, born, sex)),
            "ES": (("DNI", "NIF"), "ES_NIF", lambda: national.nif(rng)),
            "IT": (("Codice fiscale", "C.F.", "Italian tax code (codice fiscale)"), "IT_FISCAL_CODE",
                   lambda: national.codice_fiscale(rng, first, last, born, sex)),
            "NL": (("BSN", "Burgerservicenummer"), "NL_BSN", lambda: national.bsn(rng)),
            "BE": (("Rijksregisternummer", "National register number"), "BE_NATIONAL_NUMBER",
                   lambda: national.belgian(rng, born)),
            "SE": (("Personnummer", "Personal identity number (personnummer)"), "SE_PERSONNUMMER",
                   lambda: national.personnummer(rng, born, sex)),
            "NO": (("Fødselsnummer", "Norwegian national identity number (fødselsnummer)"), "NO_FODSELSNUMMER",
                   lambda: national.fodselsnummer(rng, born)),
            "FI": (("Henkilötunnus", "HETU"), "FI_PERSONAL_IDENTITY_CODE", lambda: national.hetu(rng, born)),
            "CH": (("AHV-Nr.", "No AVS"), "CH_AHV", lambda: national.ahv(rng)),
            "PL": (("PESEL", "Nr PESEL"), "PL_PESEL", lambda: national.pesel(rng, born, sex)),
            "PT": (("NIF", "Número de contribuinte"), "PT_NIF", lambda: national.portuguese(rng)),
            "CA": (("SIN", "Social Insurance Number"), "CA_SIN", lambda: national.sin(rng)),
            "AU": (("TFN", "Tax File Number"), "AU_TFN", lambda: national.tfn(rng)),
            "IN": rng.choice((
                (("Aadhaar", "Aadhaar No.", "UIDAI Aadhaar number"), "IN_AADHAAR", lambda: national.aadhaar(rng)),
                (("PAN", "PAN No.", "Permanent Account Number"), "IN_PAN", lambda: national.indian_pan(rng, last)),
            )),
            "SG": (("NRIC", "NRIC/FIN"), "SG_NRIC_FIN", lambda: national.nric(rng, born)),
            "BR": (("CPF", "CPF/MF"), "BR_CPF", lambda: national.cpf(rng)),
            "ZA": (("SA ID number", "RSA ID No."), "ZA_ID_NUMBER", lambda: national.south_african(rng, born, sex)),
        }  # fmt: skip
        passport = ("Passport No.", "Passport number"), "PASSPORT", self._passport
        labels, type_, make = makers.get(self.country, passport)
        return rng.choice(labels), type_, make()

    def _passport(self) -> str:
        return self.rng.choice("ABCEGKLMNPRTX") + self.rng.choice("ABCEGKLMNPRTX") + digits(self.rng, 7)

    @cached_property
    def passport(self) -> str:
        return digits(self.rng, 9) if self.country in ("US", "GB") else self._passport()
