"""The first deployment of docs/operating.md, to the letter, on a clean machine: two processes, nginx, Redis.

Left out are only the lines that install packages of the system, make the role and the database, open an
editor, and speak to an init system; in place of the last the units' own commands are run.
"""

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.clean_machine import Machine, clean_machine
from tests.docs.documents import blocks_of, lines_of
from tests.mcpsite.test_deploy import DEPLOY
from tests.postgresql import role, skip_without_postgresql
from tests.proxy import nginx
from tests.redis_server import redis_server
from tests.site import LEGACY, MODERN, ROOT, Site, free_port

pytestmark = pytest.mark.e2e

DONE_OTHERWISE = (
    "apt-get",
    "runuser -u postgres",
    "editor",
    "systemctl",
    "nginx",
    "sed",
    "cp deploy",
    "certbot",
    "ln -s /etc/letsencrypt",
    "until curl",
    "declare",
)
PASSWORD = "correct horse battery"


def commands() -> list[str]:
    """The lines of the section's block."""
    return lines_of(*blocks_of("docs/operating.md", "First deployment, to the letter"))


def filled_in(settings: dict[str, str]) -> str:
    """What somebody types into deploy/production.env."""
    text = (DEPLOY / "production.env").read_text()
    for name, value in settings.items():
        text, found = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        text += "" if found else f"{name}={value}\n"
    return text


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, str, list[int], Path]]:
    """The machine after all steps, its public port, the ports of its processes, and the certificate."""
    skip_without_postgresql()
    folder = tmp_path_factory.mktemp("nginx")
    ports, tls_port = [free_port(), free_port()], free_port()
    with ExitStack() as stack:
        database, cache = stack.enter_context(role(80)), stack.enter_context(redis_server())
        machine = stack.enter_context(clean_machine(tmp_path_factory.mktemp("machine")))
        settings = {
            "RESOURCE_SERVER_URL": f"https://data.example.com:{tls_port}",
            "AUTH0_ISSUER": "",
            "AUTHORIZATION_SERVER": "builtin",
            "SECRET_KEY": "s" * 60,
            "DATABASE_URL": database.url,
            "CACHE_URL": cache.url,
        }
        hosts = machine.root / "etc" / "hosts"
        hosts.write_text(f"{hosts.read_text()}\n127.0.0.1 data.example.com\n")
        machine.env |= {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        machine.env |= {"DJANGO_SUPERUSER_EMAIL": "", "GIT_CONFIG_COUNT": "1"}
        machine.env |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        script = ["set -e"]
        for line in commands():
            if line.startswith("editor"):
                script.append(f"cat > /etc/mcpsite.env <<'END'\n{filled_in(settings)}END")
            elif line.startswith("manage doctor"):
                break  # After the proxy.
            elif not line.startswith(DONE_OTHERWISE):
                typed = line.replace("YOUR-REPOSITORY", f"{ROOT} -q").replace(
                    "superuser", "superuser --noinput"
                )
                script.append(typed)
        machine.run("\n".join(script), shell="bash")
        for port in ports:
            stack.enter_context(
                unit(machine, "mcpsite@.service", port, tmp_path_factory.mktemp("log") / "log")
            )
        stack.enter_context(nginx(folder, ports, tls_port))
        yield machine, f"https://localhost:{tls_port}", ports, folder / "fullchain.pem"


class unit:  # noqa: N801 (used as a function)
    """The command of a systemd unit with its environment, folder and account, while the block runs."""

    def __init__(self, machine: Machine, name: str, port: int, log: Path) -> None:
        text = (DEPLOY / "systemd" / name).read_text().replace("%i", str(port))
        said = " ".join(re.findall(r"^Environment=(.*)$", text, re.MULTILINE))
        (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        (folder,) = re.findall(r"^WorkingDirectory=(.*)$", text, re.MULTILINE)
        (account,) = re.findall(r"^User=(.*)$", text, re.MULTILINE)
        words = ["runuser", "-u", account, "--", "env", *said.split(), *command.split()]
        self._words, self._env, self._log = machine.inside(words, folder=folder), machine.env, log
        self._port = port

    def __enter__(self) -> None:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(self._words, env=self._env, stdout=log, stderr=log)
        end = time.monotonic() + 120
        while True:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            try:
                httpx2.get(f"http://127.0.0.1:{self._port}/healthz", timeout=2)
            except httpx2.HTTPError:
                time.sleep(0.2)
            else:
                return

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


def definition() -> str:
    """The line of the section that defines `manage`."""
    (line,) = [line for line in commands() if line.startswith("manage()")]
    return line


def manage(machine: Machine, arguments: str) -> str:
    """Type a command as the section defines `manage`."""
    return machine.run(f"{definition()}\nmanage {arguments}", shell="bash")


def test_the_deployed_site_answers_both_eras_through_the_proxy(
    deployed: tuple[Machine, str, list[int], Path],
) -> None:
    machine, origin, ports, certificate = deployed
    for port in ports:
        assert httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=10).json()["status"] == "ok"
    token = manage(machine, "issue_token admin").strip()
    trust = ssl.create_default_context(cafile=str(certificate))
    host = {"Host": f"data.example.com:{origin.rpartition(':')[2]}"}
    process = subprocess.Popen(["true"])
    process.wait()
    asking = Site(port=0, env={}, process=process, log=certificate)  # type: ignore[arg-type]
    with httpx2.Client(base_url=origin, verify=trust, timeout=30) as client:
        for era in (MODERN, LEGACY) * 4:
            headers, body = asking._request(token, "tools/list", {}, era)
            answer = client.post("/mcp", content=body, headers=headers | host)
            assert answer.status_code == 200, answer.text
            assert answer.json()["result"]["tools"]
        page = client.get("/accounts/login/", headers=host)
        assert re.search(r"/static/mcpsite/site\.[0-9a-f]{12}\.css", page.text)
        assert client.get("/readyz", headers=host).status_code == 200


def test_doctor_finds_nothing_that_stops_a_client(deployed: tuple[Machine, str, list[int], Path]) -> None:
    machine, origin, _, certificate = deployed
    machine.run(f"mkdir -p /etc/site && cp {certificate} /etc/site/ca.pem && chmod 644 /etc/site/ca.pem")
    machine.env["SSL_CERT_FILE"] = "/etc/site/ca.pem"
    (line,) = [line for line in commands() if line.startswith("manage doctor")]
    typed = line.removeprefix("manage ").replace("YOUR-NAME", f"data.example.com:{origin.rpartition(':')[2]}")
    said = manage(machine, typed)  # Its exit code says whether something stops clients.
    assert "There are no airfare rows" in said


def test_the_daily_jobs_run_as_the_unit_runs_them(deployed: tuple[Machine, str, list[int], Path]) -> None:
    machine = deployed[0]
    text = (DEPLOY / "systemd" / "mcpsite-daily.service").read_text()
    said = " ".join(re.findall(r"^Environment=(.*)$", text, re.MULTILINE))
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    done = machine.run(f"runuser -u mcpsite -- env {said} {command}", folder="/opt/mcpsite")
    assert "Done: expired sessions are deleted." in done


def test_an_upgrade_goes_through_every_process(deployed: tuple[Machine, str, list[int], Path]) -> None:
    """All but the restarts themselves, since no init system is there."""
    machine, _, ports, _ = deployed
    [upgrade] = blocks_of("docs/operating.md", "Upgrades and back")
    for written, typed in (("8788 8789", " ".join(map(str, ports))), ("checkout NEW", "checkout -q HEAD")):
        assert written in upgrade
        upgrade = upgrade.replace(written, typed)
    said = machine.run(f"set -e\nsystemctl() {{ echo $*; }}\n{definition()}\n{upgrade}", shell="bash")
    assert "No migrations to apply" in said
    assert [line for line in said.splitlines() if line.startswith("restart ")] == [
        *(f"restart mcpsite@{port}" for port in ports),
        "restart mcpsite-uploads",
    ]
