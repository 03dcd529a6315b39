"""A real nginx with the configuration of deploy/, on ports of a test's own."""

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.site import ROOT, free_port


def nginx_configuration(folder: Path, upstream: str, *, port: int, tls_port: int) -> Path:
    """Write deploy/nginx.conf beside a certificate and `upstream`, changed in nothing but ports and paths."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2"
    names = "subjectAltName=DNS:localhost,DNS:data.example.com"
    files = ["-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem"]
    subprocess.run([*command.split(), *files, "-addext", names], check=True, capture_output=True)
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    for before, after in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{tls_port} ssl http2;"),
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl http2;\n", ""),
        ("/etc/nginx/certificates", str(folder)),
        ("server_name data.example.com;", "server_name localhost data.example.com;"),
        ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"),  # The port is no usual one.
    ):
        assert before in site
        site = site.replace(before, after)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr warn;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\n{upstream}\n{site}\n}}\n"
    )
    return file


@contextmanager
def nginx(folder: Path, ports: list[int], tls_port: int, http_port: int | None = None) -> Iterator[str]:
    """The https origin of an nginx that balances at random over the processes on `ports`."""
    if shutil.which("nginx") is None:
        pytest.skip("there is no nginx here")
    upstream = (ROOT / "deploy" / "upstream.systemd.conf").read_text()
    for own, port in zip(("8788", "8789"), ports, strict=True):
        assert f":{own} " in upstream
        upstream = upstream.replace(f":{own} ", f":{port} ")
    file = nginx_configuration(folder, upstream, port=http_port or free_port(), tls_port=tls_port)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["nginx", "-p", folder, "-c", file], stderr=log)
        try:
            origin = f"https://localhost:{tls_port}"
            trust = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
            for _ in range(100):
                try:
                    httpx2.get(f"{origin}/healthz", verify=trust, timeout=5)
                    break
                except httpx2.HTTPError:
                    time.sleep(0.1)
            yield origin
        finally:
            process.terminate()
            process.wait(timeout=20)
