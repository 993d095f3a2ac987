"""The day of return, as people write it."""

from __future__ import annotations

from datetime import date

import pytest

from drumbeat.domain.absence import return_date

FRIDAY = date(2026, 12, 18)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("I am out of the office until January 5, 2027.", date(2027, 1, 5)),
        ("I'll be out from Dec 20 through Jan 3 and back on January 4th.", date(2027, 1, 4)),
        ("Ich bin vom 21.12.2026 bis zum 06.01.2027 nicht im Büro.", date(2027, 1, 6)),
        ("Ab dem 7. Januar bin ich wieder erreichbar.", date(2027, 1, 7)),
        ("Je suis absent du 20 au 27 décembre inclus.", date(2026, 12, 27)),
        ("Je serai de retour le 1er février 2027", date(2027, 2, 1)),
        (
            "2027年1月5日まで不在にしております",
            date(2027, 1, 5),
        ),
        ("I am away until 1/15", date(2027, 1, 15)),
        ("back on 05/01/2027", date(2027, 1, 5)),
        ("Out of office 12/23 - 1/2", date(2027, 1, 2)),
        ("back on 1/2/27", date(2027, 2, 1)),
        ("I will return on Monday.", date(2026, 12, 21)),
        ("Ich bin bis Freitag weg.", date(2026, 12, 25)),
        ("I am away until 31 February.", None),
        ("I am away until 31.02. and the 99/99.", None),
        ("I am back since 3 November 2026.", None),
        ("On Monday we met.", None),
        ("Call 0171 12.34.56 at 10:30.", None),
        ("We received your request 4711.", None),
        ("", None),
    ],
)
def test_a_day_is_read_in_the_words_around_it(words: str, day: date | None) -> None:
    assert return_date(words, FRIDAY) == day


def test_days_are_written_with_the_month_first_where_that_is_usual() -> None:
    assert return_date("back on 1/5", FRIDAY) == date(2027, 5, 1)
    assert return_date("back on 1/5", FRIDAY, month_first=True) == date(2027, 1, 5)
    assert return_date("back on 13/1", FRIDAY, month_first=True) == date(2027, 1, 13)
