"""Loading keys; the rest of this room's work is tested where it is used."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from delivery.certificates import load_keys

GOOD = Path(__file__).parent / "agents" / "certificates" / "good.pem"  # certificate and key


def load(files: list[Path], certificate: Path | str = "", key: Path | str = "") -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_keys(context, map(str, files), str(certificate), str(key))


@pytest.mark.parametrize("mode, told", [(0o600, False), (0o640, False), (0o644, True)])
def test_a_key_that_everybody_may_read_is_told(
    mode: int, told: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key = Path(shutil.copy(GOOD, tmp_path / "key.pem"))
    certificate = Path(shutil.copy(GOOD, tmp_path / "certificate.pem"))
    text = certificate.read_text()
    certificate.write_text(
        text[text.index("-----BEGIN CERTIFICATE") :].partition("-----BEGIN P")[0]
    )
    key.chmod(mode)
    for files in ([], certificate, key), ([], key, ""), ([key], "", ""):
        load(*files)
        said = capfd.readouterr().out
        assert (f"everybody may read the private key in {key}" in said) is told
        assert "certificate.pem" not in said
