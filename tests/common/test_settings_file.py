"""The choice of the settings file, and the lines of its keys."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.errors import SettingsError
from agentlog.settings.clusters import load_settings
from agentlog.settings.file import Keys, find_settings_file


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def topic(environment: dict[str, str], folder: Path) -> object:
    file = find_settings_file(environment, folder)
    return file.data["topic"] if file else None


class TestTheFile:
    def test_that_the_environment_names_wins_over_the_one_in_the_folder(self, tmp_path: Path) -> None:
        write(tmp_path / "agentlog.toml", 'topic = "near"')
        named = write(tmp_path / "other.toml", 'topic = "named"')
        assert topic({"AGENTLOG_CONFIG": "other.toml"}, tmp_path) == "named"
        assert topic({"AGENTLOG_CONFIG": str(named)}, Path("/")) == "named"
        assert topic({"AGENTLOG_CONFIG": ""}, tmp_path) == "near"

    def test_in_the_folder_wins_over_the_one_in_the_users_config_folder(self, tmp_path: Path) -> None:
        write(tmp_path / ".config" / "agentlog" / "agentlog.toml", 'topic = "home"')
        write(tmp_path / "xdg" / "agentlog" / "agentlog.toml", 'topic = "xdg"')
        home = {"HOME": str(tmp_path)}
        assert topic(home, tmp_path) == "home"
        assert topic(home | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path) == "xdg"
        write(tmp_path / "agentlog.toml", 'topic = "near"')
        assert topic(home, tmp_path) == "near"

    def test_below_a_relative_config_folder_does_not_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "xdg" / "agentlog" / "agentlog.toml", 'topic = "xdg"')
        monkeypatch.chdir(tmp_path)
        assert find_settings_file({"XDG_CONFIG_HOME": "xdg"}, tmp_path) is None

    def test_need_not_exist(self, tmp_path: Path) -> None:
        assert find_settings_file({}, tmp_path) is None

    def test_that_is_named_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"^environment AGENTLOG_CONFIG: there is no file gone\.toml$"):
            find_settings_file({"AGENTLOG_CONFIG": "gone.toml"}, tmp_path)

    def test_that_cannot_be_read_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "agentlog.toml").mkdir()
        with pytest.raises(SettingsError, match=r"^agentlog\.toml can't be read: Is a directory$"):
            find_settings_file({}, tmp_path)

    def test_may_have_a_byte_order_mark_and_windows_line_ends(self, tmp_path: Path) -> None:
        (tmp_path / "agentlog.toml").write_bytes(b'\xef\xbb\xbf# one\r\ntopic = "a"\r\ncluster = "b"\r\n')
        file = find_settings_file({}, tmp_path)
        assert file
        assert (file.data, file.locate("cluster")) == ({"topic": "a", "cluster": "b"}, "agentlog.toml:3")

    def test_that_is_no_utf_8_is_named_with_the_line(self, tmp_path: Path) -> None:
        (tmp_path / "agentlog.toml").write_bytes(b'topic = "a"\n# caf\xe9\n')
        with pytest.raises(SettingsError, match=r"^agentlog\.toml:2: is not UTF-8"):
            find_settings_file({}, tmp_path)


keys = st.text("ab.#=[]\"' \u00e9", min_size=1, max_size=3)
statements = st.lists(
    st.tuples(
        st.lists(keys, min_size=1, max_size=3),
        st.sampled_from(
            [
                "1",
                '"[x]\\n#"',
                "'[a]'",
                "[\n1, # ]\n2,\n]",
                '"""\n[a]\nb = 1\n"""',
                "'''\n\n[[a]]'''",
                "{b.c = 1}",
                "{}",
            ]
        ),
        st.booleans(),
    ),
    max_size=12,
)


class TestTheLineOfAKey:
    @given(statements)
    def test_is_the_one_that_it_stands_on(
        self, tmp_path_factory: pytest.TempPathFactory, written: list[tuple[list[str], str, bool]]
    ) -> None:
        lines: list[str] = []
        expected: dict[Keys, int] = {}
        table: Keys = ()
        for number, (keys, value, is_table) in enumerate(written):
            unique = [f"{number}-{keys[0]}", *keys[1:]]
            dotted = " . ".join('"' + key.replace('"', '\\"') + '"' for key in unique)
            lines += ["", "# [x] = '''"]
            if is_table:
                table = tuple(unique)
                lines += [f"  [ {dotted} ] # x"]
                expected[table] = len(lines)
            else:
                expected[(*table, *unique)] = len(lines) + 1
                lines += f"{dotted} = {value}".split("\n")
        folder = tmp_path_factory.mktemp("lines")
        (folder / "agentlog.toml").write_text("\n".join(lines), encoding="utf-8")
        file = find_settings_file({}, folder)
        assert file
        assert {keys: file.lines[keys] for keys in expected} == expected
        assert all(file.locate(*keys) for keys in expected)

    def test_is_found_for_each_way_to_write_it(self, tmp_path: Path) -> None:
        write(
            tmp_path / "agentlog.toml",
            "# [clusters.a]\n"
            "[clusters]\n"
            'a.bootstrap.servers = "a:1"\n'
            "[ clusters . 'b' ]\n"
            '"bootstrap.servers" = """\\\n'
            '   b:1"""\n'
            "[clusters.b.sasl]\n"
            "oauthbearer = { method = 'oidc',  client.id = 'c' }\n"
            'username = "bootstrap.servers = 1"\n'
            "[clusters.c.ssl.key]\n"
            "password = 'x'\n"
            "[clusters.c]\n"
            "bootstrap.servers = 'c:1'",
        )
        settings = load_settings({}, tmp_path)
        assert settings.get_cluster("a").origins == {"bootstrap.servers": "agentlog.toml:3"}
        assert settings.get_cluster("b").origins == {
            "bootstrap.servers": "agentlog.toml:5",
            "sasl.oauthbearer.method": "agentlog.toml:8",
            "sasl.oauthbearer.client.id": "agentlog.toml:8",
            "sasl.username": "agentlog.toml:9",
        }
        assert settings.get_cluster("c").origins == {
            "ssl.key.password": "agentlog.toml:11",
            "bootstrap.servers": "agentlog.toml:13",
        }
