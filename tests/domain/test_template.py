from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drumbeat.domain.errors import MissingTags, TemplateFails, TemplateSyntax
from drumbeat.domain.merge import is_known
from drumbeat.domain.template import (
    Rendered,
    Template,
    TemplateText,
    compile_template,
    compile_text,
    freeze,
    thaw,
)

VALUES: dict[str, Any] = {
    "person": {"first_name": "Ada", "title": "", "phone": None, "custom": {"plan": "Gold", "seats": 12}},
    "sender": {"name": "Sam", "email": "sam@seller.example"},
    "account": {"name": "Acme & Co"},
    "unsubscribe_url": "https://mail.example/u/1",
}


def text_of(source: str, values: dict[str, Any] = VALUES) -> str:
    return compile_template(TemplateText("", None, source)).render(values).text


def html_of(source: str, values: dict[str, Any] = VALUES) -> str:
    return compile_template(TemplateText("", source, "")).render(values).html or ""


def missing(source: str, values: dict[str, Any] = VALUES) -> tuple[str, ...]:
    with pytest.raises(MissingTags) as caught:
        text_of(source, values)
    return caught.value.tags


def refusal(source: str) -> TemplateSyntax:
    with pytest.raises(TemplateSyntax) as caught:
        compile_template(TemplateText("", None, source))
    return caught.value


def test_a_letter_is_filled_in_all_its_parts() -> None:
    source = TemplateText("For {{ person.first_name }}", "<b>{{ account.name }}</b>", "{{ account.name }}")
    assert compile_template(source).render(VALUES) == Rendered(
        subject="For Ada", html="<b>Acme &amp; Co</b>", text="Acme & Co"
    )


def test_every_missing_tag_of_every_part_is_named_once_in_order_of_appearance() -> None:
    source = TemplateText(
        "{{ person.title }} {{ lead.zip }}",
        "{{ lead.zip }}{{ person.custom.size }}",
        "{{ account.postal_address }}{{ person.title }}",
    )
    with pytest.raises(MissingTags) as caught:
        compile_template(source).render(VALUES)
    assert caught.value.tags == ("person.title", "lead.zip", "person.custom.size", "account.postal_address")


@pytest.mark.parametrize("value", [None, "", " ", "\n\t", [], {}, {"a": 1}])
def test_an_empty_value_is_missing(value: object) -> None:
    assert missing("{{ person.x }}", {"person": {"x": value}}) == ("person.x",)


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (False, "false"), (1.5, "1.5"), (["a", "b"], "ab")])
def test_a_value_that_is_only_small_is_not_missing(value: object, shown: str) -> None:
    assert text_of("{{ person.x }}", {"person": {"x": value}}) == shown


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("{{ person.title | upcase }}", ("person.title",)),
        ("{{ person.title | append: person.phone }}", ("person.title", "person.phone")),
        ("{{ 'Dear ' | append: person.title }}", ("person.title",)),
        ("{{ person.title | default: person.phone }}", ("person.phone",)),
        ("{% assign t = person.title | upcase %}{{ t }}", ("person.title",)),
        ("{% capture c %}{{ person.title }}{% endcapture %}{{ c }}", ("person.title",)),
        ("{{ person.first_name.nick }}", ("person.first_name.nick",)),
        ("{{ person['first.name'] }}", ("person.first\\.name",)),
        ("{% if person.title %}{% assign t = 1 %}{% endif %}{{ t }}", ("t",)),
    ],
)
def test_a_missing_tag_is_found_behind_filters_and_names(source: str, tags: tuple[str, ...]) -> None:
    assert missing(source) == tags


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ person.title | default: 'friend' }}", "friend"),
        ("{{ person.title | upcase | default: 'friend' }}", "friend"),
        ("{{ person.title | default: '' }}", ""),
        ("{{ person.first_name | default: 'friend' | upcase }}", "ADA"),
        ("{% if person.title %}{{ person.title }}{% endif %}", ""),
        ("{% if person.phone == 'x' or lead.a.b > 3 %}a{% else %}b{% endif %}", "b"),
        ("{% unless person.title %}none{% endunless %}", "none"),
        ("{% unless person.first_name %}a{% elsif person.title == blank %}b{% endunless %}", "b"),
        ("{% if person.title %}a{% elsif person.phone == nil %}b{% endif %}", "b"),
        ("{% for x in person.title %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% assign t = person.title | default: 'T' %}{{ t }}", "T"),
        ("{% case person.title %}{% when 'x' %}a{% when blank %}b{% else %}c{% endcase %}", "b"),
    ],
)
def test_a_tag_with_a_default_or_in_a_condition_is_never_missing(source: str, shown: str) -> None:
    assert text_of(source) == shown


def test_what_is_captured_is_missing_only_where_it_is_shown() -> None:
    unshown = "{% capture c %}{{ person.title }}{% endcapture %}"
    assert text_of(unshown + "x") == "x"
    assert text_of(unshown + "{{ c | default: 'friend' }}") == "friend"
    assert text_of(unshown + "{% if c %}{{ c }}{% endif %}x") == "x"
    assert compile_template(TemplateText("s", None, unshown + "x")).undefaulted == ()
    shown = compile_template(TemplateText("s", None, unshown + "{{ c }}"))
    assert shown.undefaulted == ("person.title",)
    assert text_of("{% capture c %}{{ person.first_name }}{% endcapture %}{{ c }}{{ c | upcase }}") == "AdaADA"


@pytest.mark.parametrize("empty", ["nil", "blank", "empty", "''"])
def test_undefined_and_empty_are_alike_in_comparisons(empty: str) -> None:
    for tag in ("person.title", "person.phone", "person.unknown"):
        assert text_of(f"{{% if {tag} == {empty} %}}y{{% else %}}n{{% endif %}}") == "y"
        assert text_of(f"{{% if {empty} != {tag} %}}y{{% else %}}n{{% endif %}}") == "n"
    assert text_of(f"{{% if person.first_name != {empty} and true %}}y{{% endif %}}") == "y"


def test_a_comparison_of_different_kinds_is_false_rather_than_an_error() -> None:
    assert text_of("{% if person.first_name > 5 %}y{% else %}n{% endif %}") == "n"
    assert text_of("{% if person.custom.seats contains '1' %}y{% else %}n{% endif %}") == "n"
    assert text_of("{% if person.custom.seats >= 12 %}y{% endif %}") == "y"


def test_html_escapes_values_but_neither_text_nor_subject_do() -> None:
    source = TemplateText(*["<{{ person.x }}>"] * 3)
    rendered = compile_template(source).render({"person": {"x": "<b>&"}})
    assert rendered == Rendered("<<b>&>", "<&lt;b&gt;&amp;>", "<<b>&>")


# fmt: off
FILTERS = [
    "append:''", "capitalize", "compact", "downcase", "escape", "escape_once", "first", "join", "last", "lstrip",
    "newline_to_br", "prepend:''", "replace:'a','b'", "reverse", "rstrip", "size", "slice:0,99", "sort", "split:''",
    "split:'/'", "squish", "strip", "strip_html", "strip_newlines", "truncate", "truncatewords", "uniq", "upcase",
    "url_decode", "url_encode", "default:'x'", "date:'%Y'",
]
# fmt: on


@pytest.mark.parametrize("first", FILTERS)
def test_no_two_filters_let_markup_in_a_value_through(first: str) -> None:
    value = '<img/onerror="x()">%3Cimg/onerror=%22x()%22%3E&lt;img&gt;'
    for second in FILTERS:
        shown = html_of(
            f"{{{{ person.x | {first} | {second} }}}}{{% capture c %}}{{{{ person.x | {first} }}}}"
            f"{{% endcapture %}}{{{{ c | {second} }}}}{{{{ '' | append: person.x | {second} }}}}",
            {"person": {"x": value}},
        )
        assert "<img" not in shown.lower().replace("<br />", "")


def test_strip_html_keeps_the_words() -> None:
    assert text_of("{{ person.x | strip_html }}", {"person": {"x": "<p>a &amp; b</p>"}}) == "a &amp; b"
    assert html_of("{% capture c %}<p>{{ account.name }}</p>{% endcapture %}{{ c | strip_html }}") == ("Acme &amp; Co")


def test_a_value_is_never_a_template() -> None:
    trick = "{{ person.secret }}{% for i in (1..9) %}x{% endfor %}"
    assert text_of("{{ person.x }}", {"person": {"x": trick, "secret": "s"}}) == trick


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_a_subject_is_one_line_whatever_the_value(value: str) -> None:
    template = compile_template(TemplateText("a{{ person.x | default: '' }}z", None, "t"))
    subject = template.render({"person": {"x": value}}).subject
    assert subject.startswith("a")
    assert not set(subject) & {"\r", "\n", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"}


def test_a_line_end_in_a_subject_is_one_space() -> None:
    template = compile_template(TemplateText("{{ person.x }}\n", None, "t"))
    assert template.render({"person": {"x": "a\r\nBcc: b\0c\u2028d"}}).subject == "a Bcc: b c d"


def test_text_is_made_of_the_html_when_there_is_none() -> None:
    source = TemplateText("s", '<p>Hi {{ account.name }}</p><a href="{{ unsubscribe_url }}">bye</a>', None)
    assert compile_template(source).render(VALUES).text == "Hi Acme & Co\n\nbye (https://mail.example/u/1)\n"


def test_tags_are_the_fields_that_templates_read() -> None:
    template = compile_template(
        TemplateText(
            "{{ person.custom['Deal Size'].first }}",
            "{% if lead.city.size > 3 %}{{ sender.email | default: account.name }}{% endif %}",
            "{% for t in contact.tags %}{{ t }}{{ forloop.index }}{% endfor %}"
            "{% assign n = person.first_name %}{{ n | default: 'x' }}{{ n }}{{ 'x' }}"
            "{% case person.title %}{% when person.phone %}{{ unsubscribe_url }}{% endcase %}",
        )
    )
    assert template.tags == {
        "person.custom.Deal Size",
        "lead.city",
        "sender.email",
        "account.name",
        "contact.tags",
        "person.first_name",
        "person.title",
        "person.phone",
        "unsubscribe_url",
    }
    assert template.undefaulted == (
        "person.custom.Deal Size",
        "account.name",
        "person.first_name",
        "unsubscribe_url",
    )


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\n\n{{ person.first_name", 3, "'{{' is not closed"),
        ("a\n{% if person.title %}\nb\n", 4, "expected tag endif"),
        ("a\n{{ name }}", 2, "there is no 'name'"),
        ("{{ now }}", 1, "there is no 'now'"),
        ("{{ n }}{% assign n = 1 %}", 1, "there is no 'n'"),
        ("{{ [person] }}", 1, "names nothing"),
        ("{{ person }}", 1, "must name one field"),
        ("{{ person.custom }}", 1, "must name one field"),
        ("{{ person[lead.x] }}", 1, "must name one field"),
        ("{{ lead[0] }}", 1, "must name one field"),
        ("{{ account.name | shout }}", 1, "there is no filter 'shout'"),
        ("{{ account.name | safe }}", 1, "there is no filter 'safe'"),
        ("{{ account.name | append }}", 1, "append: missing a required argument"),
        ("{{ account.name | default: 'x', loud: 1 }}", 1, "default: got an unexpected keyword"),
        ("{% assign person = 'x' %}", 1, "'person' cannot be given another value"),
        ("{% for lead in contact.tags %}{% endfor %}", 1, "'lead' cannot be given another value"),
        ("{% break %}", 1, "break and continue"),
        ("{% include 'x' %}", 1, "include"),
        ("{% doc %}", 1, "not closed"),
        ("{% raw %}{{", 1, "not closed"),
        ("{% for i in (1..person.n) %}{% endfor %}", 1, "two whole numbers"),
        ("{% for i in (0..100000) reversed %}{% endfor %}", 1, "a range of more than"),
        ("{% if true %}" * 21 + "{% endif %}" * 21, 1, "nesting"),
        ("{{ ''.__class__ }}", 1, ""),
        ("{{ 7*7 }}", 1, ""),
        ("{{ 1 }}" * 2001, 1, "more than 2000 tags"),
        ("x" * 200_001, None, "longer than 200000"),
        ("{{ lead" + "[a" * 20 + "]" * 20 + " }}", 1, "must name one field"),
    ],
)
def test_a_template_that_could_not_work_is_refused_with_its_line(source: str, line: int | None, words: str) -> None:
    refused = refusal(source)
    assert (refused.part, refused.line) == ("text", line)
    assert words in str(refused)


def test_a_template_without_a_body_is_refused() -> None:
    with pytest.raises(TemplateSyntax, match="neither"):
        compile_template(TemplateText("s", None, None))


def test_the_part_at_fault_is_named() -> None:
    with pytest.raises(TemplateSyntax) as caught:
        compile_template(TemplateText("{{ x }}", "a", "b"))
    assert caught.value.part == "subject"
    with pytest.raises(TemplateFails) as failed:
        compile_template(TemplateText("s", "a\n{{ 1 | divided_by: 0 }}", None)).render(VALUES)
    assert (failed.value.part, failed.value.line) == ("html", 2)


BIG = {"person": {"first_name": "x" * 60_000, "custom": {"list": ["y" * 1000] * 50}}}


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..60000) %}{% endfor %}" * 2,
        "{% for i in (1..1000) %}{% for j in (1..1000) %}{{ j }}{% endfor %}{% endfor %}",
        "{% for i in (1..99999) %}{% if 1 == 1 or 2 == 2 or 3 == 3 %}{% endif %}{% endfor %}",
        "{% for i in (1..9999) %}{{ person.first_name }}{% endfor %}",
        "{% for i in (1..9999) %}{% if person.first_name contains 'y' %}{% endif %}{% endfor %}",
        "{% assign a = 'xxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40,
        "{% capture a %}xxxxxxxx{% endcapture %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 40,
        "{% assign a = 99999999 %}" + "{% assign a = a | times: a %}" * 40,
        "{{ person.first_name | replace: 'x', person.first_name }}",
        "{{ person.first_name | split: '' | uniq }}",
        "{{ person.first_name | split: '' | join: person.first_name }}",
        "{{ person.custom.list | concat: person.custom.list | join: person.first_name }}",
        "{{ person.first_name }}" * 17,
        "{{ (1..99999) | uniq | join }}",
    ],
)
def test_a_render_that_would_not_end_is_stopped(source: str) -> None:
    with pytest.raises(TemplateFails):
        text_of(source, BIG)


def test_a_block_is_rendered_once_however_often_its_values_match() -> None:
    nested = "{% case 1 %}{% when 1, 1, 1, 1 %}" * 18 + "x" + "{% endcase %}" * 18
    assert text_of(nested) == "x"


def test_loops_and_whole_numbers_work_within_the_limits() -> None:
    assert text_of("{% for i in (1..3) %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endfor %}") == "12"
    assert text_of("{{ (1..3) | join }}{{ (1..3) | uniq | join: '-' }}{{ 2 | times: 1.5 }}") == "1 2 31-2-33.0"
    assert text_of("{{ 'a.b' | replace: '.' }}") == "ab"


def test_raw_text_may_hold_braces() -> None:
    assert text_of("{% raw %}{{ x {% endraw %}y") == "{{ x y"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-03-05", "05 March 2026"),
        ("2026-03-05T10:00:00+01:00", "05 March 2026"),
        (date(2026, 3, 5), "05 March 2026"),
        (datetime(2026, 3, 5, tzinfo=UTC), "05 March 2026"),
        ("now", "now"),
        ("soon", "soon"),
        (12, "12"),
    ],
)
def test_the_date_filter_writes_what_it_is_given_and_reads_no_clock(value: object, shown: str) -> None:
    assert text_of("{{ person.x | date: '%d %B %Y' }}", {"person": {"x": value}}) == shown


@pytest.mark.parametrize("wanted", ["'%99999999d'", "5"])
def test_the_date_filter_refuses_formats_it_does_not_know(wanted: str) -> None:
    with pytest.raises(TemplateFails, match="format"):
        text_of(f"{{{{ '2026-03-05' | date: {wanted} }}}}")


@pytest.mark.parametrize("name", ["now", "today"])
def test_now_is_the_instant_the_letter_was_frozen_at(name: str) -> None:
    source = TemplateText(f"{{{{ '{name}' | date: '%Y-%m-%d %H:%M' }}}}", None, "t")
    at = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
    assert compile_template(source).render({}, at).subject == "2026-03-05 09:30"
    assert compile_text("Since {{ 'now' | date: '%d.%m.' }}").render({}, at) == "Since 05.03."


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_a_blank_body_counts_as_none(blank: str | None) -> None:
    assert compile_template(TemplateText("s", "<p>Hi</p>", blank)).render({}) == Rendered("s", "<p>Hi</p>", "Hi\n")
    assert compile_template(TemplateText("s", blank, "Hi")).render({}) == Rendered("s", None, "Hi")
    with pytest.raises(TemplateSyntax, match="neither"):
        compile_template(TemplateText("s", blank, blank))


def test_a_task_is_one_line_and_never_blocks() -> None:
    line = compile_text("Call {{ person.first_name }} {{ person.title }}\nat {{ person.phone | default: 'home' }}")
    assert line.render(VALUES) == "Call Ada  at home"
    assert line.tags == {"person.first_name", "person.title", "person.phone"}
    assert compile_text("Divide {{ 1 | divided_by: 0 }} it").render(VALUES) == "Divide"


def test_frozen_values_are_only_what_the_tags_read() -> None:
    values = {
        "person": {"a": "x", "b": " ", "n": 3, "d": date(2026, 1, 2), "p": Decimal("1.5"), "secret": "s"},
        "account": {"list": ["a", None, 1], "none": []},
        "unsubscribe_url": "u",
    }
    tags = "person.a person.b person.n person.d person.p person.q.r account.list account.none unsubscribe_url"
    assert freeze(tags.split(), values) == {
        "account.list": ["a", 1],
        "person.a": "x",
        "person.d": "2026-01-02",
        "person.n": 3,
        "person.p": "1.5",
        "unsubscribe_url": "u",
    }


names = st.text(min_size=1, max_size=8).filter(lambda name: "'" not in name and name.strip())


@given(st.dictionaries(names, st.one_of(st.text(max_size=8), st.integers(), st.booleans()), max_size=5))
@settings(max_examples=100, deadline=None)
def test_thawed_values_render_as_the_ones_they_were_frozen_from(custom: dict[str, Any]) -> None:
    plain = {name: value for name, value in custom.items() if "}" not in name and "%" not in name}
    source = "t" + "".join(f"[{{{{ lead.custom['{name}'] | default: 'none' }}}}]" for name in plain)
    template = compile_template(TemplateText("s", None, source))
    values = {"lead": {"custom": plain}}
    assert template.render(thaw(freeze(template.tags, values))) == template.render(values)


def test_one_template_renders_in_many_threads() -> None:
    source = TemplateText("s", None, "{% for i in (1..50) %}{{ i }}{{ person.first_name }}{% endfor %}")

    def render(number: int) -> bool:
        text = compile_template(source).render({"person": {"first_name": f"n{number}"}}).text
        return text == "".join(f"{i}n{number}" for i in range(1, 51))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(render, range(64)))


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        ("person.first_name", True),
        ("lead.custom.plan", True),
        ("contact.custom.any\\.thing", True),
        ("sender.email", True),
        ("account.postal_address", True),
        ("unsubscribe_url", True),
        ("person.firstname", False),
        ("sender.phone", False),
        ("lead.", False),
        ("account.email", False),
    ],
)
def test_a_field_that_nobody_has_is_known_as_such(tag: str, known: bool) -> None:
    assert is_known(tag) is known


# Parts of text and tags with defaults alone are rendered without walking Liquid's tree: the same comes out.

TAGS = ["person.first_name", "person.custom.plan", 'person.custom["a b"]', "sender.name", "unsubscribe_url"]
DEFAULTS = ["", " | default: 'friend & co'", " | default: ''", ' | default: "<b>you</b>"']
STRAIGHT = st.lists(
    st.one_of(
        st.text("abc <&>\n{}", max_size=6),
        st.builds(
            lambda tag, default, left, right: f"{{{{{left} {tag}{default} {right}}}}}",
            st.sampled_from(TAGS), st.sampled_from(DEFAULTS), st.sampled_from(["", "-"]), st.sampled_from(["", "-"]),
        ),
    ),
    max_size=8,
).map("".join)  # fmt: skip
SHOWN = st.one_of(
    st.none(), st.text("ab <&\n", max_size=5), st.integers(), st.booleans(), st.lists(st.text(max_size=2)), st.just({})
)


def _outcome(template: Template, values: dict[str, Any]) -> object:
    try:
        return template.render(values)
    except (MissingTags, TemplateFails) as error:
        return type(error), str(error)


@given(
    STRAIGHT,
    st.fixed_dictionaries({}, optional={
        "person": st.one_of(SHOWN, st.fixed_dictionaries({}, optional={
            "first_name": SHOWN,
            "custom": st.one_of(SHOWN, st.dictionaries(st.sampled_from(["plan", "a b"]), SHOWN)),
        })),
        "sender": st.fixed_dictionaries({"name": SHOWN}),
        "unsubscribe_url": SHOWN,
    }),
)  # fmt: skip
def test_what_is_rendered_straight_is_what_liquid_makes_of_it(source: str, values: dict[str, Any]) -> None:
    try:
        template = compile_template(TemplateText(source, source or "x", source or "x"))
    except TemplateSyntax:
        assume(False)
    parts = {name: replace(getattr(template, name), straight=None) for name in ("_subject", "_html", "_text")}
    assert _outcome(template, values) == _outcome(replace(template, **parts), values)


@pytest.mark.parametrize(
    "source",
    [
        "Hello",
        "Hello {{ person.first_name }}",
        "{{ person.custom.plan | default: 'none' }}!",
    ],
)
def test_text_and_tags_with_defaults_alone_are_rendered_straight(source: str) -> None:
    assert compile_template(TemplateText(source, None, source))._subject.straight is not None


@pytest.mark.parametrize(
    "source",
    [
        "{{ person.first_name | upcase }}",
        "{{ person.first_name | default: 'you' | upcase }}",
        "{{ person.first_name | default: sender.name }}",
        "{{ person.first_name | default: 1 }}",
        "{{ person.first_name | default: 'you', allow_false: true }}",
        "{{ person.first_name | default }}",
        "{{ person.name.size }}",
        "{{ 'now' | date: '%Y' }}",
        "{% if person.first_name %}you{% endif %}",
    ],
)
def test_everything_else_is_left_to_liquid(source: str) -> None:
    assert compile_template(TemplateText(source, None, source))._subject.straight is None


def test_values_of_many_characters_are_left_to_liquid_which_counts_them() -> None:
    template = compile_template(TemplateText("{{ person.first_name }}" * 3, None, "x"))
    with pytest.raises(TemplateFails):
        template.render({"person": {"first_name": "x" * 2_000_000}})
