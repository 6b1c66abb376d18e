"""Language codes: ISO 639-1 in the configuration, ISO 639-2 in containers."""

from __future__ import annotations

_CODES = """
aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara, as asm, av ava, ay aym, az aze,
ba bak, be bel, bg bul, bh bih, bi bis, bm bam, bn ben, bo bod tib, br bre, bs bos, ca cat, ce che,
ch cha, co cos, cr cre, cs ces cze, cu chu, cv chv, cy cym wel, da dan, de deu ger, dv div, dz dzo,
ee ewe, el ell gre, en eng, eo epo, es spa, et est, eu eus baq, fa fas per, ff ful, fi fin, fj fij,
fo fao, fr fra fre, fy fry, ga gle, gd gla, gl glg, gn grn, gu guj, gv glv, ha hau, he heb, hi hin,
ho hmo, hr hrv, ht hat, hu hun, hy hye arm, hz her, ia ina, id ind, ie ile, ig ibo, ii iii, ik ipk,
io ido, is isl ice, it ita, iu iku, ja jpn, jv jav, ka kat geo, kg kon, ki kik, kj kua, kk kaz,
kl kal, km khm, kn kan, ko kor, kr kau, ks kas, ku kur, kv kom, kw cor, ky kir, la lat, lb ltz,
lg lug, li lim, ln lin, lo lao, lt lit, lu lub, lv lav, mg mlg, mh mah, mi mri mao, mk mkd mac,
ml mal, mn mon, mr mar, ms msa may, mt mlt, my mya bur, na nau, nb nob, nd nde, ne nep, ng ndo,
nl nld dut, nn nno, no nor, nr nbl, nv nav, ny nya, oc oci, oj oji, om orm, or ori, os oss, pa pan,
pi pli, pl pol, ps pus, pt por, qu que, rm roh, rn run, ro ron rum, ru rus, rw kin, sa san, sc srd,
sd snd, se sme, sg sag, si sin, sk slk slo, sl slv, sm smo, sn sna, so som, sq sqi alb, sr srp,
ss ssw, st sot, su sun, sv swe, sw swa, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl,
tn tsn, to ton, tr tur, ts tso, tt tat, tw twi, ty tah, ug uig, uk ukr, ur urd, uz uzb, ve ven,
vi vie, vo vol, wa wln, wo wol, xh xho, yi yid, yo yor, za zha, zh zho chi, zu zul
"""

_TAGS = {code: tags for code, *tags in map(str.split, _CODES.split(","))}

_SAME = {"nb": "no", "nn": "no", "fil": "tl", "iw": "he", "in": "id", "ji": "yi", "cmn": "zh"}
"""Codes of which the second also means the first, or is what the first was once called."""


def is_language(code: str) -> bool:
    """Whether a language has the code: of two letters in ISO 639-1, or any of three.

    Args:
        code: with or without a region (``pt``, ``pt-br``).
    """
    language = _primary(code)
    three = len(language) == 3 and language.isascii() and language.isalpha()
    return language in _TAGS or three


def container_tag(language: str) -> str:
    """The three-letter tag that MP4, Matroska and MPEG-TS store; ``und`` if there is none.

    Args:
        language: ISO 639-1 code, with or without a region (``pt``, ``pt-br``).
    """
    code = _primary(language)
    if len(code) == 3 and is_language(code):
        return code
    return _TAGS.get(code, ["und"])[0]


def same_language(tag: str, language: str) -> bool:
    """Whether a container's tag means a language, in whichever of its codes."""
    return _canonical(tag) == _canonical(language)


def _canonical(code: str) -> str:
    code = _primary(code)
    two = next((short for short, tags in _TAGS.items() if code in tags), code)
    return _SAME.get(two, two)


def _primary(code: str) -> str:
    return code.strip().lower().replace("_", "-").split("-")[0]
