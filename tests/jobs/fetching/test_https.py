"""https: the certificate must be that of the name in the URL, whatever address is connected to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from jobs.errors import InputError
from tests.jobs.fetching.serving import Site, served
from tests.jobs.fetching.test_download import CONTENT, House

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `localhost` with its key, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    made = subprocess.run([*command.split(), "-keyout", "-", "-out", "-"], capture_output=True, check=True)
    path.write_bytes(made.stdout)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_server_with_a_certificate_of_its_name_is_read(
    tmp_path: Path, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with served(Site(CONTENT), tls) as site:
        path, _ = await House(tmp_path).fetch(site.url(host="localhost").replace("http:", "https:"))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("known", [False, True])
async def test_a_server_whose_certificate_is_another_or_unknown_is_refused_at_once(
    tmp_path: Path, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    host = "127.0.0.1" if known else "localhost"
    async with served(Site(CONTENT), tls) as site:
        with pytest.raises(InputError, match=r"certificate verify failed.*; check the server's certificate"):
            await House(tmp_path).fetch(site.url(host=host).replace("http:", "https:"))
    assert not site.asked


async def test_from_https_no_redirect_leads_to_http(
    tmp_path: Path, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with served(Site(statuses=["302 Found\r\nLocation: http://example.org/"]), tls) as site:
        with pytest.raises(InputError, match="redirects from https to http"):
            await House(tmp_path).fetch(site.url(host="localhost").replace("http:", "https:"))
