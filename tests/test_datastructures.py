from __future__ import annotations

import json

import pytest

from streamcompat.datastructures import Headers, RequestParameters


class TestRequestParameters:
    def test_get_gives_the_first_value_and_getlist_all(self):
        parameters = RequestParameters({"a": ["1", "2"]})
        assert parameters.get("a") == "1"
        assert parameters.getlist("a") == ["1", "2"]
        assert parameters["a"] == ["1", "2"]

    def test_a_missing_name_gives_the_default(self):
        parameters = RequestParameters()
        assert parameters.get("a") is None
        assert parameters.get("a", "x") == "x"
        assert parameters.getlist("a") is None
        assert parameters.getlist("a", []) == []

    def test_it_is_a_dict_for_encoders(self):
        assert json.dumps(RequestParameters({"a": ["1"]})) == '{"a": ["1"]}'


class TestHeaders:
    @pytest.mark.parametrize("name", ["x-token", "X-Token", "X-TOKEN"])
    def test_look_ups_ignore_case(self, name):
        headers = Headers({"X-Token": "1"})
        assert headers[name] == headers.get(name) == headers.getone(name) == "1"
        assert name in headers

    def test_a_missing_name(self):
        headers = Headers()
        assert headers.get("a") is None
        assert headers.get("a", "b") == "b"
        assert "a" not in headers
        assert 5 not in headers
        with pytest.raises(KeyError):
            headers["a"]
        with pytest.raises(KeyError):
            del headers["a"]
        with pytest.raises(KeyError):
            headers.getall("a")
        assert headers.getall("a", []) == []
        with pytest.raises(KeyError):
            headers.pop("a")
        assert headers.pop("a", 1) == 1

    def test_setting_keeps_the_first_spelling_and_replaces_every_value(self):
        headers = Headers([("X-A", "1"), ("x-a", "2")])
        assert headers.getall("X-a") == ["1", "2"]
        headers["x-A"] = "3"
        assert headers.getall("X-A") == ["3"]
        assert list(headers.items()) == [("X-A", "3")]

    def test_add_keeps_earlier_values(self):
        headers = Headers()
        headers.add("Set-Cookie", "a")
        headers.add("set-cookie", "b")
        headers["Via"] = "x"
        fields = [("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Via", "x")]
        assert list(headers.multi_items()) == list(headers.items()) == fields
        assert headers == {"Set-Cookie": "a", "Via": "x"}
        assert headers["SET-COOKIE"] == "a"
        assert len(headers) == 2

    def test_deleting_takes_every_value_and_the_spelling(self):
        headers = Headers([("X-A", "1"), ("X-A", "2")])
        del headers["x-a"]
        assert "X-A" not in headers
        headers["x-a"] = "3"
        assert list(headers.multi_items()) == [("x-a", "3")]

    def test_pop_and_popall(self):
        headers = Headers([("A", "1"), ("A", "2"), ("B", "3")])
        assert headers.popall("a") == ["1", "2"]
        assert headers.pop("b") == "3"
        assert not headers
        assert headers.popall("a", []) == []

    def test_popitem_takes_the_last(self):
        headers = Headers({"A": "1", "B": "2"})
        assert headers.popitem() == ("B", "2")
        assert list(headers) == ["A"]

    def test_setdefault_and_update(self):
        headers = Headers({"A": "1"})
        assert headers.setdefault("a", "2") == "1"
        assert headers.setdefault("B", "3") == "3"
        headers.update({"a": "4"}, c="5")
        assert dict(headers) == {"A": "4", "B": "3", "c": "5"}

    def test_clear_forgets_spellings(self):
        headers = Headers([("A", "1"), ("A", "2")])
        headers.clear()
        headers["a"] = "3"
        assert list(headers.multi_items()) == [("a", "3")]

    def test_a_copy_is_another(self):
        headers = Headers([("A", "1"), ("A", "2")])
        copied = headers.copy()
        copied.add("a", "3")
        assert copied.getall("A") == ["1", "2", "3"]
        assert headers.getall("A") == ["1", "2"]

    def test_it_is_a_dict_for_encoders(self):
        assert json.dumps(Headers({"A": "1"})) == '{"A": "1"}'

    def test_from_the_wire(self):
        headers = Headers.from_wire([(b"host", b"x"), (b"x-a", b"1"), (b"x-a", b"1")])
        assert headers["Host"] == "x"
        assert headers.getall("X-A") == ["1", "1"]

    def test_values_from_the_wire_are_utf8_or_else_latin1(self):
        headers = Headers.from_wire([(b"a", "ä".encode()), (b"b", "ä".encode("latin-1"))])
        assert headers["a"] == headers["b"] == "ä"
