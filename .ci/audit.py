"""Asks pip-audit whether a version in some files of requirements has a known vulnerability.

    python .ci/audit.py FILES...

Status 1 where one has; 2 where the database cannot be reached, so that nothing was audited. A mirror of the
package index may answer without knowing any vulnerability, so a version that has one is asked for first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

VULNERABLE = "python-multipart==0.0.6"
"""Has CVE-2024-24762."""


def audit(requirements: str) -> list[dict[str, Any]] | None:
    """The packages of a file, with what is known of each; `None` if nothing could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        asked = ["--requirement", requirements, "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", *asked, "--format", "json", "--output", str(report)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if not report.exists():
            print((run.stderr.strip().splitlines() or ["no output"])[-1][:300], file=sys.stderr)
            return None
        packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return packages


def knows_vulnerabilities() -> bool:
    """Whether the database can be reached, and is one."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(VULNERABLE)
        file.flush()
        return any(package.get("vulns") for package in audit(file.name) or ())


def main(files: list[str]) -> int:
    if not knows_vulnerabilities():
        print("the database of vulnerabilities cannot be reached: nothing was audited", file=sys.stderr)
        return 2
    status = 0
    for requirements in files:
        packages = audit(requirements)
        if packages is None:
            print(f"{requirements} was not audited", file=sys.stderr)
            return 2
        known = [(package, one) for package in packages for one in package.get("vulns", ())]
        for package, one in known:
            mended = ", ".join(one["fix_versions"]) or "no version"
            print(f"{requirements}: {package['name']} {package['version']}: {one['id']}, mended in {mended}")
        print(f"{requirements}: {len(packages)} packages, {len(known)} known vulnerabilities")
        status = status or int(bool(known))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
