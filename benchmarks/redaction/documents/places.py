"""Postal addresses of 24 countries, each in its own layout, as lines."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from benchmarks.redaction.documents.numbers import digits


class Land(NamedTuple):
    """What addresses of a country are made of.

    ``streets``: ``@`` is the house number, ``#`` a digit, ``¤`` a number sign. ``places``: town, postcode (``#`` a
    digit, ``A`` a letter), region.
    """

    name: str
    code3: str
    nrp: str
    streets: tuple[str, ...]
    units: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    last: str
    """Layout of the line with town and postcode."""


def _land(name: str, code3: str, nrp: str, streets: str, units: str, places: str, last: str) -> Land:
    rows = [(town, code, (*region, "")[0]) for town, code, *region in (part.split(";") for part in places.split("|"))]
    return Land(name, code3, nrp, tuple(streets.split("|")), tuple(units.split("|")), tuple(rows), last)


LANDS: dict[str, Land] = {
    "US": _land(
        "United States", "USA", "American",
        "@9 Larkmoor Drive|@99 E Tamarack Ave|@9 Old Quarry Rd|@99 NW 23rd Pl|@ Sumner Street|@99 County Road 12|"
        "@9 Calle del Sol|@99 Rte 9W|@9 Pinckney Blvd|@99 S Delacroix Ct|@99 Whitlock Ln SE|@9 W 118th St",
        "|||Apt 4B|Unit 12|Suite 300|#207|Apt. 16-C",
        "Duluth;5580#;MN|Tulsa;7410#;OK|Yonkers;1070#;NY|Boise;8370#;ID|El Paso;7990#;TX|Savannah;3140#;GA|"
        "Spokane;9920#;WA|Providence;0290#;RI|Bakersfield;9330#;CA|Fort Wayne;4680#;IN|Honolulu;9681#;HI|"
        "Winston-Salem;2710#;NC|St. Louis;6310#;MO",
        "{town}, {region} {code}",
    ),
    "GB": _land(
        "United Kingdom", "GBR", "British",
        "@ Harrowgate Lane|@9 St Aldhelm's Road|@ Millrace Close|@9 Cathcart Crescent|@ The Paddocks|"
        "@9 Upper Tooting Row|"
        "@ Glebe Terrace|@9 King's Mews|@ Bryn Awel|@9 Wharfside Quay",
        "|||Flat 3|Flat 12A|First Floor Flat|Rose Cottage",
        "Leeds;LS# #AA|Inverness;IV# #AA|Swansea;SA# #AA|Stockport;SK# #AA|London;SW1# #AA|London;E# #AA|Bath;BA# #AA|"
        "Coventry;CV# #AA|Belfast;BT# #AA|Kettering;NN1# #AA",
        "{town}\n{code}",
    ),
    "IE": _land(
        "Ireland", "IRL", "Irish", "@ Seaview Terrace|@9 Clanbrassil Street|@ Páirc na Rós|@9 Old Bohernabreena Road",
        "|||Apartment 7", "Galway;H91 AA#A|Cork;T12 A#A#|Dublin 6;D06 A#A#|Limerick;V94 A#A#", "{town}\n{code}",
    ),
    "DE": _land(
        "Germany", "DEU", "German",
        "Lindenstraße @|Am Mühlbach @|Kirchgasse @a|Gottfried-Keller-Weg @|Alte Ziegelei @|Bürgermeister-Smidt-Str. @9|"
        "Unter den Eschen @|Sonnenhang @|Königsallee @9",
        "||||c/o Weber|2. OG links",
        "Oldenburg;2612#|Chemnitz;0911#|Würzburg;9707#|Göttingen;3707#|Halle (Saale);0610#|Freiburg im Breisgau;7909#|"
        "Köln;5067#|Hamburg;2035#|Neu-Ulm;8923#",
        "{code} {town}",
    ),
    "AT": _land(
        "Austria", "AUT", "Austrian", "Mariahilfer Straße @9/3/12|Dr.-Karl-Renner-Ring @|Schönbrunner Zeile @|"
        "Ahornweg @",
        "||Top 14|Stiege 2", "Wien;10#0|Graz;8010|Linz;4020|Villach;9500|St. Pölten;3100", "{code} {town}",
    ),
    "CH": _land(
        "Switzerland", "CHE", "Swiss", "Rue du Lac @|Seefeldstrasse @9|Via Nassa @|Chemin des Vignes @bis|Dorfplatz @",
        "|||Postfach 118", "Lausanne;100#|Zürich;800#|Lugano;690#|Vevey;1800|Chur;7000|Basel;405#", "{code} {town}",
    ),
    "FR": _land(
        "France", "FRA", "French",
        "@ rue des Tanneurs|@bis, avenue Aristide-Briand|@9 boulevard de l'Église|@ impasse du Moulin|"
        "@ allée des Cèdres|"
        "@9, cours Léopold|@ place de la République",
        "|||Bât. C, appt 22|Résidence Les Acacias|Chez M. Perrot",
        "Besançon;25000|Nîmes;30900|Angers;4900#|Saint-Étienne;42100|PARIS;7501#|LYON CEDEX 03;69003|Pau;64000",
        "{code} {town}",
    ),
    "ES": _land(
        "Spain", "ESP", "Spanish",
        "Calle de la Cañada, @|Avda. Reina Sofía @9|C/ Hermanos Machado @, 3º B|Plaza Mayor @|"
        "Paseo del Río @, 1º izda.|"
        "Ronda de Toledo, @",
        "|||Esc. 2, 4º D|Bajo A", "Cádiz;1100#|Gijón;3320#|Albacete;0200#|Madrid;2801#|Málaga;2900#|"
        "Vitoria-Gasteiz;0100#",
        "{code} {town}",
    ),
    "IT": _land(
        "Italy", "ITA", "Italian",
        "Via Giuseppe Garibaldi, @|Viale dell'Università @9|Piazza San Carlo @|Corso Vittorio Emanuele II, @9|"
        "Vicolo Corto @|"
        "Largo Augusto @/B",
        "|||Scala B, int. 5|Interno 12",
        "Bergamo;241##;BG|Lecce;73100;LE|Forlì;4712#;FC|Roma;001##;RM|Torino;101##;TO|L'Aquila;67100;AQ",
        "{code} {town} ({region})",
    ),
    "NL": _land(
        "Netherlands", "NLD", "Dutch", "Prinsengracht @9-II|Kerkstraat @|Burg. van Walsumweg @9|'t Zand @|"
        "Oude Delft @a",
        "||||3e verdieping", "Amersfoort;38## AA|'s-Hertogenbosch;52## AA|Groningen;97## AA|Delft;26## AA|"
        "Breda;48## AA",
        "{code} {town}",
    ),
    "BE": _land(
        "Belgium", "BEL", "Belgian", "Rue Haute @9|Veldstraat @|Chaussée de Wavre @9|Sint-Jansvest @|Quai de Rome @",
        "|||bus 4|bte 12", "Gent;9000|Liège;4000|Leuven;3000|Ixelles;1050|Brugge;8000", "{code} {town}",
    ),
    "SE": _land(
        "Sweden", "SWE", "Swedish", "Björkvägen @|Storgatan @ B|Östra Hamngatan @9|Sjötullsgatan @", "|||lgh 1203",
        "Umeå;903 ##|Örebro;702 ##|Malmö;211 ##|Västerås;722 ##|Göteborg;411 ##", "{code} {town}",
    ),
    "NO": _land(
        "Norway", "NOR", "Norwegian", "Fjellveien @|Øvre Slottsgate @|Torggata @ B|Kystbrynet @", "|||H0302",
        "Bergen;50##|Tromsø;90##|Oslo;01##|Ålesund;60##", "{code} {town}",
    ),
    "DK": _land(
        "Denmark", "DNK", "Danish", "Nørrebrogade @9|Møllevangen @|Strandvejen @9|Skt. Pauls Plads @",
        "||3. tv.|st. th.",
        "Aarhus C;8000|København Ø;2100|Odense;5000|Aalborg;9000", "{code} {town}",
    ),
    "FI": _land(
        "Finland", "FIN", "Finnish", "Mannerheimintie @9 A 4|Hämeenkatu @|Rantatie @|Itäinen Pitkäkatu @ C 12", "",
        "Tampere;33100|Helsinki;002##|Jyväskylä;401##|Turku;205##", "{code} {town}",
    ),
    "PL": _land(
        "Poland", "POL", "Polish", "ul. Świętojańska @/4|al. Jana Pawła II @9|ul. Krótka @|os. Tysiąclecia @/17|"
        "pl. Wolności @",
        "", "Łódź;90-###|Gdynia;81-###|Rzeszów;35-###|Bielsko-Biała;43-3##|Warszawa;00-###", "{code} {town}",
    ),
    "CZ": _land(
        "Czech Republic", "CZE", "Czech", "Na Příkopě @|Husova @9/3|Žižkova @|Nádražní @9", "",
        "Brno;602 00|Plzeň;301 00|Olomouc;779 00|Praha 3;130 00", "{code} {town}",
    ),
    "PT": _land(
        "Portugal", "PRT", "Portuguese", "Rua da Alfândega, @|Avenida da Liberdade, @9, 2.º Esq.|"
        "Travessa do Carmo @|Largo do Rato @",
        "|||R/C Dto", "Braga;47##-###|Lisboa;12##-###|Évora;70##-###|Vila Nova de Gaia;44##-###", "{code} {town}",
    ),
    "CA": _land(
        "Canada", "CAN", "Canadian", "@9 Rue Saint-Hubert|@99 Dufferin Street|@9 Lakeshore Rd W|@99 Portage Ave|"
        "@9 Cypress Bay",
        "|||Unit 804|app. 5|Suite 1200",
        "Halifax;B3J #A#;NS|Winnipeg;R3C #A#;MB|Montréal;H2X #A#;QC|Kelowna;V1Y #A#;BC|Toronto;M5V #A#;ON",
        "{town} {region} {code}",
    ),
    "AU": _land(
        "Australia", "AUS", "Australian", "@ Banksia Parade|@9 Wattle St|@ Koorong Crescent|@99 Pacific Hwy|"
        "@9 The Esplanade",
        "|||Unit 5|Level 3|U2",
        "Geelong;3220;VIC|Toowoomba;4350;QLD|Fremantle;6160;WA|Parramatta;2150;NSW|Hobart;7000;TAS",
        "{town} {region} {code}",
    ),
    "IN": _land(
        "India", "IND", "Indian",
        "@/4, 2nd Cross, Malleswaram|Plot No. @9, Banjara Hills|House No. @, Sector 15|"
        "@9, Nehru Nagar, Near Shiv Mandir|"
        "B-@, Lajpat Colony",
        "||Flat 302, Sai Krupa Apartments|C-14, Green Meadows CHS",
        "Bengaluru;5600##;Karnataka|Pune;4110##;Maharashtra|Jaipur;3020##;Rajasthan|Kochi;6820##;Kerala|"
        "New Delhi;1100##;Delhi",
        "{town} {code}\n{region}",
    ),
    "SG": _land(
        "Singapore", "SGP", "Singaporean", "Blk @9 Bedok North Ave 3 ¤0#-1##|@ Tanjong Rhu Road ¤1#-0#|"
        "@9 Jalan Membina ¤0#-2#",
        "", "Singapore;4600##|Singapore;1600##|Singapore;4368##", "{town} {code}",
    ),
    "BR": _land(
        "Brazil", "BRA", "Brazilian", "Rua das Palmeiras, @9|Av. Sete de Setembro, @99|Travessa São João, @|"
        "Alameda Santos, @99",
        "|||apto. 42|Bloco B, apto. 107",
        "São Luís;65010-###;MA|Curitiba;80020-###;PR|Niterói;24020-###;RJ|São Paulo;01310-###;SP",
        "{town} - {region}\n{code}",
    ),
    "MX": _land(
        "Mexico", "MEX", "Mexican", "Calle Álvaro Obregón @9, Col. Roma Norte|Av. Insurgentes Sur @99|"
        "Privada del Roble @, Col. Centro",
        "|||Int. 6", "Ciudad de México;067##;CDMX|Mérida;970##;Yuc.|Zapopan;451##;Jal.", "{code} {town}, {region}",
    ),
    "ZA": _land(
        "South Africa", "ZAF", "South African", "@9 Jan Smuts Avenue|@ Protea Road, Claremont|@9 Voortrekker Street|"
        "@ Umhlanga Rocks Drive",
        "|||Unit 9, Acacia Park", "Durban;4001|Cape Town;7708|Bloemfontein;9301|Johannesburg;2196", "{town}\n{code}",
    ),
    "JP": _land(
        "Japan", "JPN", "Japanese", "2-1#-# Nishi-Azabu, Minato-ku|1-#-1# Kitahama, Chuo-ku|"
        "3-2#-# Hakata Ekimae, Hakata-ku",
        "||Sunrise Heights 304", "Tokyo;106-00##|Osaka;541-00##|Fukuoka;812-00##", "{town} {code}",
    ),
    "AE": _land(
        "United Arab Emirates", "ARE", "Emirati", "Villa @, Street 14B, Al Barsha 2|"
        "Office @99, Al Saqr Tower, Sheikh Zayed Road|"
        "Apt @9, Marina Crown, Dubai Marina", "", "Dubai;P.O. Box 12###|Abu Dhabi;PO Box 4###|Sharjah;P.O. Box 7###",
        "{code}\n{town}",
    ),
    "NG": _land(
        "Nigeria", "NGA", "Nigerian", "@ Adeola Odeku Street, Victoria Island|Plot @9, Aminu Kano Crescent, Wuse II|"
        "@9 Bourdillon Road, Ikoyi",
        "|||Flat 6", "Lagos;101241|Abuja;904101|Lagos;106104", "{town} {code}",
    ),
}  # fmt: skip


def _filled(rng: Random, pattern: str) -> str:
    return "".join(digits(rng, 1) if c == "#" else c for c in pattern).replace("¤", "#")


def _postcode(rng: Random, country: str, pattern: str) -> str:
    if country in ("GB", "CA", "NL", "IE"):
        outward = {"GB": pattern.split(" ")[0], "CA": pattern[:3], "IE": pattern[:3], "NL": ""}[country]
        rest = pattern[len(outward) :]
        letters = "ABDEFGHJLNPQRSTUWXYZ" if country == "GB" else "ABCEHKLNPRSTVWXY"
        pattern = outward + "".join(rng.choice(letters) if c == "A" else c for c in rest)
    return _filled(rng, pattern)


def postal(rng: Random, country: str) -> list[str]:
    """The lines of a postal address, with the country now and then."""
    land = LANDS[country]
    number = str(rng.choice((rng.randint(1, 9), rng.randint(10, 99))))
    street = _filled(rng, rng.choice(land.streets).replace("@", number, 1))
    for nines in ("99", "9"):  # @9 and @99: longer house numbers
        street = street.replace(number + nines, number + digits(rng, len(nines)), 1)
    town, pattern, region = rng.choice(land.places)
    last = land.last.format(town=town, code=_postcode(rng, country, pattern), region=region).strip()
    unit = rng.choice(land.units)
    lines = [street]
    if unit:
        joined = rng.random() < 0.5
        before = country in ("GB", "IN", "AU", "ZA", "NG", "JP") or unit.startswith("c/o")
        lines = [f"{unit}, {street}" if before else f"{street}, {unit}"] if joined else (
            [unit, street] if before else [street, unit]
        )  # fmt: skip
    lines += last.split("\n")
    if rng.random() < 0.3:
        lines.append(land.name if rng.random() < 0.8 else land.name.upper())
    return lines


def town(rng: Random, country: str) -> str:
    return rng.choice(LANDS[country].places)[0]
