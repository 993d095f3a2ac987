"""Vacation notices, autoresponders and acknowledgements in many languages, with and without marks of a machine."""

from __future__ import annotations

from tests.corpus.message import OURS, Sample, plain

_LENA = "From: Lena Lamp <lena@example.net>\nTo: sam@example.com\nDate: Fri, 18 Dec 2026 10:00:00 +0100"
_ANSWERS = f"In-Reply-To: {OURS}\nReferences: {OURS}"
_REPLIED = "Auto-Submitted: auto-replied"


def _notice(name: str, subject: str, body: str, until: str | None = None, *more: str, charset: str = "utf-8") -> Sample:
    headers = "\n".join((_LENA, f"Subject: {subject}", *more))
    encoding = "8bit" if charset == "utf-8" else "base64"
    return Sample(name, plain(headers, body, charset=charset, encoding=encoding), "auto_reply", until=until)


MARKED = (
    _notice(
        "exchange english",
        "Automatic reply: Lamps for your lobby",
        "I am out of the office until January 5, 2027 with no access to e-mail.\n\nFor urgent matters please contact Max (max@example.net).",
        "2027-01-05",
        _REPLIED,
        "X-Auto-Response-Suppress: All",
    ),
    _notice(
        "exchange german",
        "Automatische Antwort: Lampen",
        "Guten Tag,\n\nich bin vom 21.12.2026 bis zum 06.01.2027 nicht im Büro. Ihre E-Mail wird nicht weitergeleitet.\n\nMit freundlichen Grüßen\nLena Lamp",
        "2027-01-06",
        _REPLIED,
    ),
    _notice(
        "exchange german by weekday and day",
        "Automatische Antwort: Lampen",
        "Ich bin am Montag, den 4. Januar wieder im Haus.",
        "2027-01-04",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
    ),
    _notice(
        "exchange french",
        "Réponse automatique : Lampes",
        "Bonjour,\n\nJe suis absente du bureau du 20 au 27 décembre inclus.\nEn cas d'urgence, contactez max@example.net.",
        "2026-12-27",
        _REPLIED,
    ),
    _notice(
        "exchange french, back on",
        "Réponse automatique : Lampes",
        "Absente, je serai de retour le 1er février 2027.",
        "2027-02-01",
        _REPLIED,
    ),
    _notice(
        "exchange spanish",
        "Respuesta automática: Lámparas",
        "Estaré fuera de la oficina hasta el 8 de enero de 2027. Para temas urgentes, escriba a max@example.net.",
        "2027-01-08",
        _REPLIED,
    ),
    _notice(
        "exchange portuguese",
        "Resposta automática: Luminárias",
        "Estarei ausente até 5 de janeiro. Em caso de urgência contate max@example.net.",
        "2027-01-05",
        _REPLIED,
    ),
    _notice(
        "exchange italian",
        "Risposta automatica: Lampade",
        "Sono fuori ufficio fino al 7 gennaio. Per urgenze contattare max@example.net.",
        "2027-01-07",
        _REPLIED,
    ),
    _notice(
        "exchange dutch",
        "Automatisch antwoord: Lampen",
        "Ik ben afwezig t/m 3 januari. Voor dringende zaken kunt u terecht bij max@example.net.",
        "2027-01-03",
        _REPLIED,
    ),
    _notice(
        "exchange polish",
        "Automatyczna odpowiedź: Lampy",
        "Jestem nieobecna do 5 stycznia 2027 r. W pilnych sprawach proszę o kontakt z max@example.net.",
        "2027-01-05",
        _REPLIED,
    ),
    _notice(
        "exchange swedish", "Autosvar: Lampor", "Jag är på semester och tillbaka den 7 januari.", "2027-01-07", _REPLIED
    ),
    _notice(
        "exchange danish", "Automatisk svar: Lamper", "Jeg holder ferie til og med 3. januar.", "2027-01-03", _REPLIED
    ),
    _notice(
        "exchange finnish", "Automaattinen vastaus: Lamput", "Olen lomalla 10.1.2027 asti.", "2027-01-10", _REPLIED
    ),
    _notice(
        "exchange czech", "Automatická odpověď: Lampy", "Jsem mimo kancelář do 4. ledna 2027.", "2027-01-04", _REPLIED
    ),
    _notice(
        "exchange hungarian",
        "Automatikus válasz: Lámpák",
        "Házon kívül vagyok, 2027. január 4-ig nem olvasom a leveleimet.",
        "2027-01-04",
        _REPLIED,
    ),
    _notice(
        "exchange turkish",
        "Otomatik yanıt: Lambalar",
        "4 Ocak 2027 tarihine kadar ofis dışındayım.",
        "2027-01-04",
        _REPLIED,
    ),
    _notice(
        "exchange russian",
        "Автоматический ответ: Лампы",
        "Я в отпуске до 11.01.2027. По срочным вопросам пишите max@example.net.",
        "2027-01-11",
        _REPLIED,
        charset="koi8-r",
    ),
    _notice(
        "exchange ukrainian",
        "Автоматична відповідь: Лампи",
        "Я у відпустці, повернусь 11 січня 2027.",
        "2027-01-11",
        _REPLIED,
    ),
    _notice(
        "exchange japanese",
        "自動応答: ランプ",
        "2027年1月5日まで不在にしております。お急ぎの方は max@example.net までご連絡ください。",
        "2027-01-05",
        _REPLIED,
        charset="iso-2022-jp",
    ),
    _notice("japanese, back at work", "自動返信: ランプ", "1月5日に出社いたします。", "2027-01-05", _REPLIED),
    _notice(
        "exchange chinese",
        "自动答复: 灯",
        "我将于1月4日返回办公室，期间无法查看邮件。",
        "2027-01-04",
        _REPLIED,
        charset="gb2312",
    ),
    _notice("exchange korean", "자동 회신: 램프", "2027년 1월 4일까지 부재중입니다.", "2027-01-04", _REPLIED),
    _notice(
        "exchange greek",
        "Αυτόματη απάντηση: Λάμπες",
        "Βρίσκομαι εκτός γραφείου και επιστρέφω στις 4 Ιανουαρίου 2027.",
        "2027-01-04",
        _REPLIED,
    ),
    _notice(
        "gmail vacation",
        "Out of office Re: Lamps for your lobby",
        "Hi, I'm away until Jan 4. Talk then!",
        "2027-01-04",
        "Precedence: bulk",
        _REPLIED,
        "X-Autoreply: yes",
        _ANSWERS,
    ),
    _notice(
        "sieve vacation",
        "Auto: Lamps for your lobby",
        "I am on leave through 12/31/2026.",
        "2026-12-31",
        "Auto-Submitted: auto-replied (vacation)",
        _ANSWERS,
    ),
    _notice(
        "vacation of unix",
        "away from my mail",
        'I will not be reading my mail for a while. Your mail regarding "Lamps" will be read when I return.',
        None,
        "Precedence: junk",
        _ANSWERS,
    ),
    _notice(
        "cpanel autoresponder",
        "Re: Lamps for your lobby",
        "Thank you for your e-mail. We will be back on Monday.",
        "2026-12-21",
        "X-Autorespond: Lamps for your lobby",
        "Precedence: auto_reply",
        _ANSWERS,
    ),
    _notice(
        "notes agent",
        "Lena Lamp is out of the office.",
        "I will be out of the office starting  12/20/2026 and will not return until 12/28/2026.\n\nI will respond to your message when I return.",
        "2026-12-28",
    ),
    _notice(
        "null sender in a thread",
        "Re: Lamps for your lobby",
        "Ich bin derzeit nicht erreichbar.",
        None,
        "Return-Path: <>",
        _ANSWERS,
    ),
    _notice("parental leave", "Automatic reply: Lamps", "I am on parental leave. Max will help you.", None, _REPLIED),
    _notice(
        "no longer here",
        "Automatic reply: Lamps",
        "Lena Lamp no longer works at Example. Please write to office@example.net.",
        None,
        _REPLIED,
    ),
    _notice(
        "a range of days in american order",
        "Out of Office: Lamps",
        "Out of office 12/23 - 1/2, limited access to e-mail.",
        "2027-01-02",
        _REPLIED,
    ),
    _notice(
        "an abbreviated month",
        "Automatic reply: Lamps",
        "I'll be out from Dec 20 through Jan 3 and back on January 4th.",
        "2027-01-04",
        _REPLIED,
    ),
    _notice(
        "closed between the years",
        "Automatic reply: Lamps",
        "Our office will be closed from 24 December 2026 until 3 January 2027.",
        "2027-01-03",
        _REPLIED,
    ),
    _notice(
        "marked in its own way",
        "Lampen",
        "Vielen Dank für Ihre Nachricht. Ich bin bis 04.01. im Urlaub.",
        "2027-01-04",
        "X-Autoreply-From: lena@example.net",
    ),
    _notice(
        "an rfc 3834 parameter",
        "Your message",
        "I am travelling.",
        None,
        'Auto-Submitted: auto-replied; owner-email="lena@example.net"',
    ),
)

ACKNOWLEDGED = (
    _notice(
        "a ticket",
        "[Request received] Lamps for your lobby",
        "Your request (#4711) has been received and is being reviewed by our support staff.",
        None,
        "Auto-Submitted: auto-generated",
        _ANSWERS,
    ),
    _notice(
        "a ticket without a thread",
        "Your ticket #4711 has been created",
        "This is an automated response. Your ticket has been created.",
        None,
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
    ),
    _notice(
        "eingangsbestätigung",
        "Eingangsbestätigung: Ihre Anfrage 4711",
        "Wir haben Ihre Nachricht erhalten. Diese E-Mail wurde automatisch erzeugt.",
        None,
        "Precedence: bulk",
    ),
    _notice(
        "accusé de réception",
        "Accusé de réception de votre message",
        "Nous avons bien reçu votre demande. Ce message a été généré automatiquement.",
        None,
        "Auto-Submitted: auto-generated",
    ),
    Sample(
        "a no-reply confirms",
        plain(
            "From: Example Support <noreply@example.net>\nTo: sam@example.com\nDate: Fri, 18 Dec 2026 10:00:00 +0100\nSubject: Thank you for contacting Example",
            "We have received your message and will answer within two days. Please do not reply to this automated e-mail.",
        ),
        "auto_reply",
    ),
)

TOLD = (
    _notice(
        "only its words, english",
        "Re: Lamps for your lobby",
        "Thank you for your e-mail. I am currently out of the office and will return on January 11, 2027. For urgent matters, please contact max@example.net.",
        "2027-01-11",
        _ANSWERS,
    ),
    _notice(
        "only its words, german",
        "AW: Lampen",
        "Vielen Dank für Ihre Nachricht. Ich bin bis einschließlich 8. Januar im Urlaub. In dringenden Fällen wenden Sie sich bitte an meine Vertretung.",
        "2027-01-08",
        _ANSWERS,
    ),
    _notice(
        "only its words, french",
        "RE: Lampes",
        "Merci pour votre message. Je suis actuellement en congé jusqu'au 4 janvier 2027. En cas d'urgence, appelez le standard.",
        "2027-01-04",
        _ANSWERS,
    ),
    _notice("only its subject, spanish", "Fuera de la oficina", "Vuelvo el 11 de enero.", "2027-01-11"),
    _notice("only its subject, dutch", "Afwezigheidsbericht: Lampen", "Ik ben terug op 11 januari.", "2027-01-11"),
    _notice("only its subject, english", "I am out of office until 4 January", "Please call.", "2027-01-04"),
    _notice(
        "only its subject, romanian",
        "Răspuns automat: Lămpi",
        "Sunt în concediu până pe 4 ianuarie 2027.",
        "2027-01-04",
    ),
    _notice("only its subject, arabic", "رد تلقائي: مصابيح", "سأعود قريبا", None),
    _notice("only its subject, hebrew", "תשובה אוטומטית: מנורות", "אחזור בקרוב", None),
    _notice("external mark before the subject", "[EXTERNAL] Automatic reply: Lamps", "I am away.", None),
)

SAMPLES = (*MARKED, *ACKNOWLEDGED, *TOLD)
