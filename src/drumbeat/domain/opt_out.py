"""Whether somebody's own words are nothing but the wish to get no more letters."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize

_PLEASE: Final = (
    r"(?:please|pls|plz|kindly|hi|hello|hallo|bonjour|hola|dear sirs?|bitte|merci de(?: bien vouloir)?|"
    r"s'il vous pla[iî]t|veuillez|por favor|"
    r"per favore|a[uv]b|alstublieft|graag|prosz[eę](?: o)?|v[aä]nligen|ystävällisesti|pros[ií]m|пожалуйста|прошу)"
)
_THANKS: Final = (
    r"(?:thank(?:s| you)(?: (?:very much|in advance))?|thx|cheers|regards|best(?: regards)?|danke(?: sch[oö]n)?|"
    r"vielen dank|mit freundlichen gr[uü][sß]{1,2}en|"
    r"merci(?: d'avance| beaucoup)?|cordialement|gracias|saludos|obrigad[oa]|grazie|bedankt|groet(?:en)?|"
    r"dzi[eę]kuj[eę]|pozdrawiam|tack|tak|takk|kiitos|d[eě]kuji|спасибо)"
)
_PHRASES: Final = (
    # English
    r"unsubscribe(?: me)?(?: (?:from|to) (?:this|your|the|all|these|any)[\w\s-]{0,40})?|un-?subscribe|unsub|stop|"
    r"stop (?:it|this|all|now)|stop (?:e-?mailing|mailing|sending|contacting)(?: me| us)?(?: (?:these|"
    r"any(?: more)?|your)?[\w\s-]{0,25})?|"
    r"opt[\s-]?(?:me )?out|remove|remove (?:me|us|my (?:e-?mail|address|e-?mail address|"
    r"name))(?: from [\w\s-]{0,50})?|take me off(?: [\w\s-]{0,50})?|delete (?:me|my (?:e-?mail|address|"
    r"data))(?: from [\w\s-]{0,40})?|"
    r"(?:do not|don't|dont|never) (?:e-?mail|contact|write(?: to)?|mail|send)(?: me| us)?(?: (?:again|any ?more|"
    r"any more e-?mails|e-?mails|anything))?(?: again)?|no more (?:e-?mails?|mails?|messages)|"
    r"cancel (?:my )?subscription|"
    r"i (?:want|wish|would like) to (?:unsubscribe|opt out|be removed)(?: from [\w\s-]{0,40})?|leave me alone|"
    r"not interested[,;.]? (?:please )?(?:unsubscribe|remove me)|"
    # German
    r"abmelden|abmeldung|austragen|abbestellen|newsletter abbestellen|stopp?|keine (?:weiteren )?(?:e-?mails?|"
    r"mails|nachrichten|werbung)(?: mehr)?|(?:ich (?:m[oö]chte|will) )?(?:mich |uns )?(?:abmelden|austragen|"
    r"aus dem verteiler (?:nehmen|l[oö]schen|streichen))|"
    r"(?:melden|tragen|nehmen|l[oö]schen|streichen) sie mich (?:ab|aus|bitte ab|bitte aus|(?:bitte )?aus (?:dem|"
    r"ihrem) verteiler)|"
    # French
    r"d[eé]sinscri(?:re|ption|vez-moi)|d[eé]sabonne(?:r|ment|z-moi)|me d[eé]s(?:inscrire|"
    r"abonner)(?: de [\w\s-]{0,40})?|ne (?:plus|pas) (?:m'[eé]crire|me contacter|m'envoyer (?:de|"
    r"d')[\w\s-]{0,20})|retire[rz](?:-moi| moi)? de (?:votre|la|cette) liste|stop pub|"
    # Spanish, Portuguese, Italian
    r"(?:dar(?:me)? de )?baja|darse de baja|de baja|cancelar (?:la )?suscripci[oó]n|desuscribir(?:me|se)?|"
    r"no (?:me )?(?:env[ií]en?|escrib[ae]n?) m[aá]s(?: (?:correos|e-?mails|mensajes))?|no m[aá]s correos|"
    r"cancelar (?:a )?(?:inscri[cç][aã]o|assinatura)|descadastr(?:ar|e-me|e)|remov[ae](?:r|-me)?(?: (?:da|"
    r"o meu e-?mail)[\w\s-]{0,20})?|sair da lista|n[aã]o (?:me )?(?:envi|mand)\w+ mais(?: [\w\s-]{0,20})?|"
    r"(?:annulla(?:re)?|cancella(?:re)?) (?:l')?(?:iscrizione|l'iscrizione)|cancellami|cancellatemi|disiscriv\w+|"
    r"rimuov\w+(?: (?:dalla|la mia)[\w\s-]{0,30})?|"
    # Dutch, Polish, Nordic, Czech, Russian, Japanese, Chinese
    r"afmelden|uitschrijven|(?:meld|schrijf) mij (?:af|uit)|geen (?:e-?)?mails? meer|wypis(?:z|a[cć]|"
    r"anie)(?: mnie)?(?: z [\w\s-]{0,30})?|rezygnuj[eę](?: z [\w\s-]{0,30})?|"
    r"usu[nń](?:[aą][cć])?(?: m[oó]j adres)?|"
    r"avregistrera(?: mig)?|avsluta prenumeration(?:en)?|afmeld(?: mig)?|meld meg av|avmeld(?:ing)?|"
    r"peru(?:uta)? (?:tilaus|postituslista)|odhl[aá]sit(?: m[eě])?|leiratkoz[aá]s|dezabonare|"
    r"abonelikten [cç][ıi]k|"
    r"отписать(?:ся|ите меня)?|отпишите(?: меня)?|отписка|配信停止|配信を停止|解除|退订|退訂|取消订阅|수신\s?거부"
)
_NOTHING_ELSE: Final = re.compile(
    rf"(?:{_PLEASE}[\s,!.:]*)*(?:{_PHRASES})(?:[\s,.!;]*(?:{_PLEASE}|{_THANKS}|now|immediately|asap|sofort|"
    rf"umgehend|{_PHRASES}))*[\s,.!;]*",
    re.IGNORECASE,
)
_LONGEST: Final = 200


def is_opt_out(own_text: str) -> bool:
    """Whether the text, quotes and signature removed, is nothing but a known phrase such as `unsubscribe`."""
    words = " ".join(normalize("NFC", own_text).replace("\u2019", "'").split()).strip(" \"'*_<>.!")
    return 0 < len(words) <= _LONGEST and _NOTHING_ELSE.fullmatch(words) is not None
