from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.datastructures import Headers
from streamcompat.kernel.cookies import Cookie, CookieJar, parse_cookies, quote, unquote


class TestReading:
    @pytest.mark.parametrize(
        ("header", "cookies"),
        [
            ("", {}),
            ("a=1", {"a": "1"}),
            ("a=1; b=2", {"a": "1", "b": "2"}),
            (" a = 1 ;b=2", {"a": "1", "b": "2"}),
            ("a=", {"a": ""}),
            ("a=b=c", {"a": "b=c"}),
            ('a="x y"', {"a": "x y"}),
            (r'a="\"\\\054"', {"a": '"\\,'}),
            ("a=1; a=2", {"a": "1"}),
            ("broken; =x; {}=1; a=1", {"{}": "1", "a": "1"}),
        ],
    )
    def test_fields(self, header, cookies):
        assert parse_cookies(header) == cookies

    @given(st.text(max_size=60))
    def test_it_never_fails(self, header):
        assert all(name == name.strip() for name in parse_cookies(header))

    @given(st.text(st.characters(max_codepoint=255), max_size=40))
    def test_what_is_quoted_can_be_read(self, value):
        assert unquote(quote(value)) == value
        assert not set(quote(value)) & set(";,\r\n\0")


class TestCookie:
    def test_attributes(self):
        cookie = Cookie("a", "b c")
        cookie["path"] = "/x"
        cookie["max-age"] = 60
        cookie["secure"] = True
        cookie["httponly"] = False
        cookie["samesite"] = "Lax"
        assert cookie.encode() == b'a="b c"; Path=/x; Max-Age=60; Secure; SameSite=Lax'

    @pytest.mark.parametrize(
        "when",
        [
            datetime(2030, 1, 2, 3, 4, 5),
            datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
            datetime(2030, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1))),
            "Wed, 02-Jan-2030 03:04:05 GMT",
        ],
    )
    def test_expires(self, when):
        cookie = Cookie("a", "b")
        cookie["expires"] = when
        assert str(cookie) == "a=b; expires=Wed, 02-Jan-2030 03:04:05 GMT"

    @pytest.mark.parametrize("key", ["path", "a b", "a;b", ""])
    def test_a_name_that_no_cookie_may_have(self, key):
        with pytest.raises(KeyError):
            Cookie(key, "x")

    def test_an_unknown_attribute(self):
        with pytest.raises(KeyError, match="Unknown cookie property"):
            Cookie("a", "b")["colour"] = "red"

    @pytest.mark.parametrize("key", ["path", "domain", "comment", "expires", "samesite"])
    def test_an_attribute_cannot_begin_another_one(self, key):
        cookie = Cookie("a", "b;c")
        with pytest.raises(ValueError, match=f"a semicolon in the {key} of a cookie: 'x; Secure'"):
            cookie[key] = "x; Secure"
        assert str(cookie) == 'a="b\\073c"'

    def test_false_takes_a_flag_back_and_leaves_the_rest(self):
        cookie = Cookie("a", "b")
        cookie["path"], cookie["secure"] = "/p", True
        cookie["path"] = cookie["secure"] = False
        assert str(cookie) == "a=b; Path=/p"

    @pytest.mark.parametrize(("given", "written"), [(1.9, "1"), (-1, "-1"), ("60", "60")])
    def test_max_age_is_in_whole_seconds(self, given, written):
        cookie = Cookie("a", "b")
        cookie["max-age"] = given
        assert str(cookie) == f"a=b; Max-Age={written}"


class TestCookieJar:
    def test_each_cookie_is_a_field_of_its_own(self):
        headers = Headers()
        jar = CookieJar(headers)
        jar["a"] = "1"
        jar["b"] = "2"
        jar["a"] = "3"
        jar["b"]["httponly"] = True
        assert [str(value) for value in headers.getall("set-cookie")] == [
            "a=3; Path=/",
            "b=2; Path=/; HttpOnly",
        ]

    def test_deleting_a_cookie_that_was_set_takes_it_back(self):
        headers = Headers()
        jar = CookieJar(headers)
        jar["a"] = "1"
        jar["b"] = "2"
        del jar["a"]
        assert [str(value) for value in headers.getall("set-cookie")] == ["b=2; Path=/"]
        assert "a" not in jar

    def test_deleting_another_one_tells_the_client_to_forget_it(self):
        headers = Headers()
        del CookieJar(headers)["old"]
        assert str(headers["set-cookie"]) == 'old=""; Path=/; Max-Age=0'

    def test_fields_that_others_set_stay(self):
        headers = Headers({"Set-Cookie": "theirs=1"})
        jar = CookieJar(headers)
        jar["a"] = "1"
        del jar["a"]
        assert headers.getall("set-cookie") == ["theirs=1"]
