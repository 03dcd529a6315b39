"""Whether the words before a colon are a person's label: certainly, perhaps, or not."""

import re
from enum import Enum

from transcripts.stores.words import UNSPACED

LONGEST = 160
"""Characters of a label, with title and firm."""
MOST_WORDS = 6
"""Words of a name or role; after a comma or in brackets follows a title or firm, which may be longer."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ROLES = _words(
    """
    analyst expert client moderator interviewer interviewee host guest operator speaker participant
    consultant advisor adviser investor researcher facilitator respondent caller presenter chair chairman
    chairwoman chairperson panelist panellist attendee candidate customer buyer seller ceo cfo coo cto cmo
    doctor dr nurse translator interpreter executive founder reporter journalist editor narrator agent
    audience member unknown unidentified associate partner director manager president vp evp svp coordinator
    representative specialist officer question answer q a analystin experte expertin moderatorin interviewerin
    sprecher sprecherin kunde kundin berater beraterin teilnehmer teilnehmerin befragter befragte gast frage
    antwort interviewter interviewte analyste modérateur modératrice animateur animatrice intervieweur
    intervieweuse invité invitée journaliste analista experto experta entrevistador entrevistadora
    entrevistado entrevistada moderador moderadora cliente esperto esperta moderatore moderatrice
    intervistatore intervistatrice intervistato especialista deskundige 記者 専門家 司会 司会者
    質問者 回答者 聞き手 アナリスト
    インタビュアー モデレーター 主持人 专家 專家 分析师 分析師 记者 客户 客戶 顾问 顧問 采访者
    受访者 嘉宾 提问者 전문가 분석가 진행자 기자 사회자 고객 질문자 답변자 эксперт
    аналитик ведущий модератор интервьюер клиент журналист
    """
)
"""What people are called in calls other than by name."""

HONORIFICS = _words("mr mrs ms miss mx dr prof professor sir dame lord lady herr frau m mme mlle sr sra")
PARTICLES = _words(
    "von van vom zu zum zur de der den del della di da das dos do du la le les el al bin ibn ben bint af av "
    "ten ter te st san santa y e ap abu"
)

TOPICS = _words(
    """
    http https www re fwd fw to from cc bcc sent subject note notes nb ps disclaimer disclaimers copyright
    confidential confidentiality legal notice important warning caution reminder update updates example
    examples source sources summary conclusion conclusions background context overview introduction intro
    agenda topic topics title date time location place duration length page pages step steps point points
    part parts section chapter appendix exhibit table figure chart slide item items option options case
    cases tip fact facts myth pros cons pro con upside downside strengths weaknesses opportunities threats
    question questions price prices pricing volume volumes cost costs mix margin margins revenue revenues
    growth demand supply capacity risk risks yield yields load loads fare fares rate rates fuel labor labour
    wages staff staffing market markets marketing sales product products service services quality quantity
    timing inflation competition competitors customers clients suppliers regulation technology distribution
    loyalty premium economy business leisure corporate inventory utilization utilisation productivity
    efficiency profit profits profitability loss losses cash debt capex opex ebitda valuation outlook
    guidance forecast trend trends driver drivers catalyst catalysts challenge challenges problem problems
    issue issues solution solutions answer reason reasons cause causes effect effects impact impacts result
    results outcome outcomes benefit benefits advantage advantages disadvantage difference strategy tactics
    plan plans goal goals target targets takeaway takeaways key main total average net gross domestic
    international global regional local north south east west europe asia america africa january february
    march july september october november december monday tuesday wednesday thursday
    friday saturday sunday today tomorrow yesterday first second third fourth fifth firstly secondly thirdly
    lastly finally last next one two three four five six seven eight nine ten another other others also
    again still then now later before after once the this that these those there here it its he she we you
    they i my our your their his her me us them who what when where why how which whose if as at in on of
    for by with without about into over under and or but nor so yet yes no not none all both each every some
    any many most more less few much well look listen okay ok right sure exactly correct true false honestly
    frankly actually basically clearly obviously generally overall ultimately however therefore thus hence
    moreover furthermore meanwhile otherwise instead besides indeed perhaps maybe additionally namely
    specifically especially including long short high low big small new old good bad best worst better worse
    let lets see think remember imagine consider according given because since although though while unless
    until whether is are was were be been being do does did have has had can could would should might
    must shall hinweis anmerkung fazit beispiel quelle zusammenfassung preis preise kosten menge umsatz
    wachstum nachfrage angebot markt risiko risiken wichtig vorteil nachteil erstens zweitens drittens datum
    ort dauer thema themen remarque exemple résumé prix coûts coût marché nota ejemplo resumen precio
    precios costos costes mercado 注 注意 例 価格 数量 要点 結論 备注 例如 价格 成本 结论 总结 가격
    수량 비용 결론 주의
    clear factor factors schedule schedules crew network networks fleet training maintenance slots gates
    lounge lounges cabin cabins seats routes hedging bookings booking channel channels partnerships
    brand branding data automation safety security sustainability emissions retention churn hiring
    turnover overtime rent leases tax taxes tariffs compliance integration synergies pipeline backlog
    orders deliveries renewals contracts negotiations discounts promotions refunds inventories logistics
    freight cargo ancillary ancillaries baggage upgrades occupancy rooms properties people culture
    leadership operations finance financing funding investment investments acquisitions macro recession
    currency e.g i.e p.s z.b email e-mail phone
    """
)
"""Subjects of calls and beginnings of sentences: not first names, though a surname may be among them."""

PRONOUNS = _words("i me you them they us")
"""What note takers call the two sides of a call (Me and Them, I and R)."""
SMALL = PARTICLES | _words("and of for at in on the to by with und für et pour y para e")
"""Words of a title that begin with a small letter."""
MOST_TITLE_WORDS = 25

BOILERPLATE = re.compile(
    r"^\W*(?:(?:legal\s+|important\s+)?(?:disclaimer|copyright|confidentiality|notice)s?\b[^:]{0,40}:"
    r"|confidential\b.{0,80}$|page\s+\d+(?:\s+(?:of|/)\s*\d+)?\W*$|©|copyright\b|all rights reserved"
    r"|(?:transcribed|recorded|generated|powered)\s+(?:by|with)\s+\S+"
    r"|this (?:transcript|document) (?:was|is|has been)\b"
    r"|\[?\(?end of (?:the )?(?:transcript|recording|call|interview|audio)"
    r"|\S.{0,60}\s(?:started|stopped) (?:the )?(?:transcription|recording)\W*$)",
    re.IGNORECASE,
)
"""Words that nobody says and services add: they end a turn."""


_PREFIXED = re.compile(r"(d|l|al|el|ibn|bin|abu|an|ad|as|ash)[-'’](\w+)$")
"""A word that is a particle and a name: d'Angelo, al-Rashid."""


class Kind(Enum):
    """How certain it is that a label names a person or role."""

    SURE = 2
    MAYBE = 1
    NOT = 0


def kind_of(label: str) -> Kind:
    """Return whether `label` names somebody."""
    name, title = _divided(label)
    words = name.split()
    if not words or len(label) > LONGEST:
        return Kind.NOT
    if len(words) > MOST_WORDS:
        return _kind_of_title(words)
    plain = [word.strip(".'’\"“”").casefold() for word in words]
    if UNSPACED.search(name):
        return _kind_of_unspaced(name)
    if plain[0] in HONORIFICS and len(words) > 1:
        return Kind.SURE if _is_upper(words[-1]) else Kind.NOT
    if _is_role(plain, words):
        return Kind.SURE
    if plain[0] in PRONOUNS and len(words) == 1:
        return Kind.MAYBE if _is_upper(words[0]) else Kind.NOT
    if plain[0] in TOPICS and (len(words) == 1 or set(plain) <= TOPICS):
        return Kind.NOT
    if any(word in SMALL for word in words[1:-1]) and _kind_of_title(words) is Kind.SURE:
        return Kind.SURE
    if not all(_is_upper(word) or word.casefold() in PARTICLES or _is_number(word) for word in words):
        # A name all in small letters, of a person who signed in with it.
        alone = len(words) <= 2 and all(word.islower() and word.isalpha() for word in words)
        return Kind.MAYBE if alone and not any(word in TOPICS for word in plain) else Kind.NOT
    if not _is_upper(words[-1]) or any(_is_number(word) for word in words):
        return Kind.MAYBE if _is_upper(words[0]) else Kind.NOT
    if is_topical(label):
        return Kind.MAYBE
    if title and any(word in ROLES for word in re.findall(r"\w+", title.casefold())):
        return Kind.SURE
    return Kind.SURE if len(words) > 1 and not _ends_sentence(name) else Kind.MAYBE


def _kind_of_title(words: list[str]) -> Kind:
    """Return whether words are the long title of somebody without a name: Former Vice President of …"""
    large = all(_is_upper(word) or word in SMALL or word in ("&", "-") for word in words)
    if not large or len(words) > MOST_TITLE_WORDS or words[0].casefold() in TOPICS:
        return Kind.NOT
    return Kind.SURE if any(word.casefold().strip(",.") in ROLES for word in words) else Kind.MAYBE


def is_topical(label: str) -> bool:
    """Return whether a word of a name is a subject of calls, as in Tim Price or Price Increases."""
    return any(word.strip(".'’").casefold() in TOPICS for word in _divided(label)[0].split())


def has_role(label: str) -> bool:
    """Return whether `label` is a role, or a name with the person's role."""
    name, title = _divided(label)
    words = [word.strip(".").casefold() for word in name.split()]
    alone = all(word in ROLES or re.fullmatch(r"#?\d{1,3}|[a-c]", word) for word in words)
    titled = any(word in ROLES for word in re.findall(r"\w+", title.casefold()))
    return (alone and words[0] in ROLES) or (titled and len(words) > 1 and not is_topical(label))


def _divided(label: str) -> tuple[str, str]:
    """Return the name of a label, and its title and firm."""
    found = re.search(r"\s*[,(/|]\s*|\s+[-–—]+\s+", label)
    return (label[: found.start()], label[found.end() :]) if found else (label, "")


def _is_upper(word: str) -> bool:
    """Return whether a word begins as names do: not with a small letter, if the script has such."""
    if found := _PREFIXED.match(word):
        word = found[2]
    letter = next((each for each in word if each.isalpha()), "")
    return bool(letter) and not letter.islower()


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"#?\d{1,4}", word))


def _is_role(plain: list[str], words: list[str]) -> bool:
    parts = [part for word in plain for part in re.split(r"[_#-]", word) if part and not part.isdigit()]
    if not parts or len(words) > 4 or not any(part in ROLES for part in (parts[0], parts[-1])):
        return False
    others = [word for word in words if word.casefold().strip(".") not in ROLES]
    return all(_is_upper(word) or re.search(r"\d", word) for word in others) and not any(
        part in TOPICS and part not in ROLES for part in parts
    )


def _kind_of_unspaced(name: str) -> Kind:
    if name in ROLES or name.rstrip("0123456789ABCＡＢＣ一二三 ") in ROLES:
        return Kind.SURE
    short = len(name) <= 12 and not re.search(r"[。、，,.]", name) and name not in TOPICS
    return Kind.MAYBE if short else Kind.NOT


def _ends_sentence(name: str) -> bool:
    return bool(re.search(r"\w{4,}[.;]\s", name))
