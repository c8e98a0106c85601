from __future__ import annotations

import pytest

from streamcompat.mach9_api.config import Config as Mach9Config
from streamcompat.sanic_api.config import Config as SanicConfig


def test_keys_are_attributes():
    config = SanicConfig(load_env=False)
    config.A = 1
    config["B"] = 2
    assert (config["A"], config.B) == (1, 2)
    with pytest.raises(AttributeError, match="Config has no 'C'"):
        config.C  # noqa: B018


def test_a_class_attribute_wins(monkeypatch):
    config = SanicConfig(load_env=False)
    monkeypatch.setattr(SanicConfig, "REQUEST_TIMEOUT", 2, raising=False)
    assert config.REQUEST_TIMEOUT == 2
    assert config["REQUEST_TIMEOUT"] == 60


def test_the_environment(monkeypatch):
    monkeypatch.setenv("SANIC_INT", "42")
    monkeypatch.setenv("SANIC_FLOAT", "0.5")
    monkeypatch.setenv("SANIC_TEXT", "x")
    monkeypatch.setenv("MACH9_INT", "43")
    monkeypatch.setenv("OTHER_INT", "44")
    config = SanicConfig()
    assert (config.INT, config.FLOAT, config.TEXT) == (42, 0.5, "x")
    assert Mach9Config().INT == "43"
    assert SanicConfig(load_env="OTHER_").INT == 44
    assert "INT" not in SanicConfig(load_env=False)


def test_from_an_object():
    class Settings:
        UPPER = 1
        lower = 2

    config = SanicConfig(load_env=False)
    config.from_object(Settings)
    assert config.UPPER == 1
    assert "lower" not in config


def test_from_a_file_and_a_variable(tmp_path, monkeypatch):
    file = tmp_path / "settings.py"
    file.write_text("A = 1 + 1\nb = 3\n")
    config = SanicConfig(load_env=False)
    assert config.from_pyfile(str(file))
    assert config.A == 2
    monkeypatch.setenv("WHERE", str(file))
    other = SanicConfig(load_env=False)
    assert other.from_envvar("WHERE")
    assert other.A == 2


def test_a_file_or_variable_that_is_not_there(tmp_path):
    config = SanicConfig(load_env=False)
    with pytest.raises(OSError, match="Unable to load configuration file"):
        config.from_pyfile(str(tmp_path / "none.py"))
    with pytest.raises(RuntimeError, match="NOWHERE"):
        config.from_envvar("NOWHERE")
