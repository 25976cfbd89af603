from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.references import decode


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("&lt;p&gt;&quot;&apos;&amp;", "<p>\"'&"),
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;#65;", "&amp;#65;"),
        ("&#38;lt; &#x26;amp;", "&lt; &amp;"),
        ("&#65;&#x42;&#x00000000043;", "ABC"),
        ("line&#xA;line&#xD;&#xA;line&#10;", "line\nline\r\nline\n"),
        ("&#x1F37A;", "🍺"),
        ("&#x0E;&#8;&#x1b;", "\x0e\x08\x1b"),
    ],
)
def test_references_are_resolved_once_and_control_characters_kept(written: str, meant: str) -> None:
    assert decode(written) == (meant, 0)


@pytest.mark.parametrize(
    ("written", "meant", "repairs"),
    [
        ("a&#x00;b&#0;", "a\ufffdb\ufffd", 2),
        ("&#xD800;&#xDFFF;x&#xDC00;", "\U000103ffx\ufffd", 1),
        ("&#x110000;&#99999999999999999999;", "\ufffd\ufffd", 2),
        ("&foo; &nbsp;", "&foo; &nbsp;", 2),
        ("R&D &lt", "R&D &lt", 2),
        ("&#;&#x;&#xG;&", "&#;&#x;&#xG;&", 4),
    ],
)
def test_what_xml_forbids_is_repaired_and_counted(written: str, meant: str, repairs: int) -> None:
    assert decode(written) == (meant, repairs)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_whatever_is_escaped_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\n", "&#xA;")
    assert decode(escaped) == (text, 0)


@given(
    st.lists(
        st.sampled_from(["&", "#", "x", "amp;", "lt;", "quot;", ";", "1F4A9", "38", "x0;", "é", "xD83D;"])
    )
)
def test_any_text_decodes_to_something_a_database_can_hold(pieces: list[str]) -> None:
    text, repairs = decode("".join(pieces))
    assert text.encode().count(b"\0") == 0
    assert repairs <= len(pieces)


@given(
    st.lists(
        st.sampled_from(["&lt;", "&amp;", "&#65;", "&#x1F4A9;", "&apos;", "&#x20AC;", "amp;", "#65;", "é"])
    )
)
def test_legal_values_decode_as_another_parser_decodes_them(pieces: list[str]) -> None:
    value = "".join(pieces)
    expected = ET.fromstring(f'<row a="{value}" />').attrib["a"]
    assert decode(value) == (expected, 0)
