"""The files of deploy/: each is read by the program or library that it is for, and names what there is."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.proxy import nginx_configuration
from tests.site import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
PLATFORMS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def render() -> Any:
    return yaml.safe_load((DEPLOY / "render.yaml").read_text())


def fly() -> Any:
    return tomllib.loads((DEPLOY / "fly.toml").read_text())


def instructions(file: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, comments and line ends taken out."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def named_settings() -> dict[str, set[str]]:
    """The settings that each file sets."""
    systemd = " ".join(path.read_text() for path in UNITS)
    return {
        "compose.yaml": {
            name for each in compose()["services"].values() for name in each.get("environment", {})
        },
        "render.yaml": {
            each["key"] for service in render()["services"] for each in service.get("envVars", [])
        },
        "fly.toml": set(fly()["env"]),
        "production.env": set(
            re.findall(r"^([A-Z0-9_]+)=", (DEPLOY / "production.env").read_text(), re.MULTILINE)
        ),
        "systemd": set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", systemd)),
        "Dockerfile": set(
            re.findall(
                r"\b([A-Z][A-Z0-9_]+)=",
                " ".join(rest for word, rest in instructions(DEPLOY / "Dockerfile") if word == "ENV"),
            )
        ),
    }


@pytest.mark.parametrize(
    "file", ["compose.yaml", "render.yaml", "fly.toml", "production.env", "systemd", "Dockerfile"]
)
def test_what_a_file_sets_is_a_setting(file: str) -> None:
    known = settings.ENVIRONMENT.names | {"FORWARDED_ALLOW_IPS", "ENV_FILE", "PATH"} | PLATFORMS
    found = {name for name in named_settings()[file] if not name.startswith("PYTHON")}
    assert found
    assert found <= known


def test_every_command_that_a_file_runs_is_one_of_the_site() -> None:
    from django.core.management import get_commands

    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    found = set(re.findall(r"manage\.py[\", ]+([a-z_]+)", text))
    assert {"serve", "migrate", "daily", "collectstatic", "process_uploads"} <= found
    assert found <= get_commands().keys()


def test_the_image_has_all_that_the_site_imports_and_no_secret_of_this_folder() -> None:
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    packages = {path.parent.name for path in ROOT.glob("*/apps.py")} | {"mcpsite"}
    assert packages <= set(kept)
    assert not {".env", "var", ".git", ".venv"} & set(kept)
    assert all((ROOT / name).exists() for name in kept if name != "own")


def test_the_image_runs_as_somebody_who_may_write_nothing_of_it() -> None:
    found = instructions(DEPLOY / "Dockerfile")
    words = [word for word, _ in found]
    assert ("USER", "10001") in found
    assert not any("chown" in rest for _, rest in found)
    assert words.index("USER") < words.index("CMD")
    assert {"HEALTHCHECK", "STOPSIGNAL"} <= set(words)


def test_processes_of_compose_are_read_only_and_have_the_addresses_that_nginx_asks() -> None:
    services = compose()["services"]
    replicas = [services[name] for name in ("web1", "web2")]
    for each in [*replicas, services["migrate"], services["daily"]]:
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
    addresses = {f"{each['networks']['site']['ipv4_address']}:8788" for each in replicas}
    assert addresses == set(re.findall(r"server ([\d.:]+)", (DEPLOY / "upstream.compose.conf").read_text()))
    proxy = services["proxy"]["networks"]["site"]["ipv4_address"]
    assert services["web1"]["environment"]["FORWARDED_ALLOW_IPS"] == proxy
    assert services["web1"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_every_platform_migrates_before_it_serves_and_asks_whether_a_process_is_ready() -> None:
    web, cron = render()["services"][:2]
    assert (web["preDeployCommand"], web["healthCheckPath"]) == ("python manage.py migrate", "/readyz")
    assert cron["dockerCommand"] == "python manage.py daily"
    assert (DEPLOY.parent / web["dockerfilePath"]).is_file()
    assert fly()["deploy"]["release_command"] == "python manage.py migrate"
    assert fly()["http_service"]["checks"][0]["path"] == "/readyz"
    assert (DEPLOY / fly()["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("upstream", ["systemd", "compose"])
def test_nginx_takes_its_configuration(upstream: str, tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("there is no nginx here")
    file = nginx_configuration(
        tmp_path, (DEPLOY / f"upstream.{upstream}.conf").read_text(), port=1, tls_port=2
    )
    done = subprocess.run(["nginx", "-t", "-q", "-p", tmp_path, "-c", file], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_its_units(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    for path in UNITS:
        # The program and the account exist only where the site is installed.
        text = (
            path.read_text()
            .replace("/opt/mcpsite/.venv/bin/python", "/bin/true")
            .replace("mcpsite\nWorking", "root\nWorking")
        )
        (tmp_path / path.name).write_text(text)
    file = tmp_path / unit.name.replace("@", "@8788")
    if file.name != unit.name:
        (tmp_path / unit.name).rename(file)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "mcpsite" in line]
    assert said == []
