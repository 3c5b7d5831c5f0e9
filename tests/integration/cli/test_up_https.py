"""`facestream up` where the services have certificates: they ask one another over https."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from services.cli.children import free_port
from tests.certificates import Authority
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(300)


def test_services_with_certificates_find_one_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate = authority.make("localhost")
    page, api = free_port(), free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")}
    env |= {
        "EMBEDDED_BROKER": "memory",
        "DATA_DIR": str(tmp_path / "data"),
        "DEVICE": "cpu",
        "VIEWER_PORT": str(page),
        "API_PORT": str(api),
        "INGEST_PORT": str(free_port()),
        "IDENTIFIER_CA": str(authority.file),
        "INGEST_CA": str(authority.file),
        "OPEN_BROWSER": "false",
    }
    for prefix in ("VIEWER", "API", "INGEST", "METRICS"):
        env[f"{prefix}_TLS_CERT"] = str(certificate.chain)
        env[f"{prefix}_TLS_KEY"] = str(certificate.key)
    command = [sys.executable, "-m", "services.cli.main", "up", "--workers", "1"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    trusted = ssl.create_default_context(cafile=authority.file)
    try:
        with httpx.Client(verify=trusted, trust_env=False, timeout=10) as client:

            def finding() -> str:
                assert process.poll() is None
                try:
                    told = client.get(f"https://localhost:{page}/api/doctor.json")
                except httpx.HTTPError:
                    return ""
                checks = {check["what"]: check["detail"] for check in told.json()["checks"]}
                return str(checks.get("identifier API", ""))

            def reporting() -> int:
                told = client.get(f"https://localhost:{api}/api/v1/cameras")
                return len(told.json()["producers"])

            eventually(
                lambda: finding() == f"https://localhost:{api} answers", 150, "the page is answered"
            )
            eventually(lambda: reporting() == 1, 60, "the producer of the page's cameras reports")
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"https://127.0.0.1:{page}/" in printed
    assert f"https://localhost:{api}/api/v1/people" in printed
