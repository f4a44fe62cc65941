"""What runs it elsewhere: the image, the compose file and the systemd unit hold what they promise, as far as text can show."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from prober import config
from prober.cli import main
from prober.errors import Exit
from tests.conftest import find

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "prober.service").read_text()
#: DESIGN.md, "Configuration": where the pages and metrics are.
PORT = 9580


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, lines joined: (FROM, ...), (RUN, ...)."""
    bare = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in bare.splitlines()) if word
    ]


def unit() -> dict[str, list[str]]:
    """The keys of [Service], each with all its values."""
    found: dict[str, list[str]] = {}
    section = UNIT.split("[Service]")[1].split("[Install]")[0]
    for line in section.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def said(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


# the image


def test_the_image_is_of_a_named_version_in_two_stages() -> None:
    bases = said("FROM")
    assert [bool(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+( AS build)?", base)) for base in bases] == [True, True]
    assert bases[0].removesuffix(" AS build") == bases[1], "what was built runs on what it was built for"
    assert "latest" not in DOCKERFILE


def test_the_image_holds_locked_dependencies_by_their_hashes_and_nothing_that_builds() -> None:
    built = " ; ".join(said("RUN"))
    assert "--require-hashes --only-binary :all: --requirement requirements.lock" in built
    assert "--no-deps --no-build-isolation ." in built
    last = DOCKERFILE.split("FROM ")[-1]
    assert "pip install" not in last
    assert re.findall(r"^COPY .*$", last, re.MULTILINE) == ["COPY --from=build /opt/prober /opt/prober"]


def test_the_image_does_not_run_as_root_and_keeps_its_store_on_a_volume() -> None:
    assert said("USER") == ["9580:9580"]
    assert said("VOLUME") == ["/var/lib/prober"]
    assert said("EXPOSE") == [str(PORT)]
    assert said("CMD") == ['["run", "/etc/prober/prober.yaml"]']
    order = [word for word, _ in instructions()]
    assert order.index("USER") > max(i for i, word in enumerate(order) if word == "RUN"), "root installs, nobody else"


def test_the_images_health_is_asked_by_a_program_of_ours() -> None:
    [check] = said("HEALTHCHECK")
    assert check.endswith('CMD ["python", "-m", "prober.healthcheck"]')
    assert (ROOT / "prober" / "healthcheck.py").exists()


def test_what_the_build_copies_is_let_through_to_it_and_exists() -> None:
    through = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {name for rest in said("COPY") if not rest.startswith("--from") for name in rest.split()[:-1]}
    assert copied == through
    assert all((ROOT / name).exists() for name in copied)


# compose


def test_every_image_is_of_a_named_version_from_the_usual_place() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert set(images) == {"prober", "prometheus", "alertmanager", "grafana"}
    for image in images.values():
        assert re.fullmatch(r"(?:[a-z]+/)?[a-z]+:v?\d+\.\d+\.\d+", image), image


def test_every_container_is_shut_in_and_shown_on_loopback_alone() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_what_is_mounted_exists_and_nothing_of_the_repository_is_written_to() -> None:
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
                assert mode == ["ro"], f"{name}: {target}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"
        for secret in service.get("secrets", ()):
            assert secret in COMPOSE["secrets"], f"{name}: {secret}"
    assert shutil.which("git") is None or ignored("deploy/secrets/api_key"), "secrets are never committed"


def ignored(path: str) -> bool:
    done = subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT, timeout=30)
    return done.returncode in (0, 128)  # 128: no repository (a source archive)


def test_compose_prometheus_grafana_and_the_prober_agree_on_ports_and_places() -> None:
    assert SERVICES["prober"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
    assert jobs["prober"] == [f"prober:{PORT}"], "the rules ask for the job prober"
    assert prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert prometheus["rule_files"] == ["/etc/prometheus/rules/*.rules.yaml"]
    assert set(prometheus["global"]["external_labels"]) == {"docs", "prober"}, "the alerts' links are made of them"
    assert "--enable-feature=exemplar-storage" in SERVICES["prometheus"]["command"]
    mounted = {v.split(":")[0]: v.split(":")[1] for v in SERVICES["grafana"]["volumes"]}
    board = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/prober.yaml").read_text())["providers"][0]
    assert mounted["../grafana/dashboards"] == board["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana" / "dashboards" / Path(home).name).exists()
    for variable in ("PROMETHEUS_URL", "PROBER_URL"):
        assert variable in SERVICES["grafana"]["environment"]
        assert f"${{{variable}}}" in (ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text()


def test_the_configuration_for_compose_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DEPLOY / "prober.yaml").read_text()
    for name in SERVICES["prober"]["secrets"]:
        (tmp_path / name).write_text(f"secret-{name}")
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(SERVICES["prober"]["secrets"])
    there = tmp_path / "prober.yaml"
    there.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    assert main(["check", str(there)]) == 0, capsys.readouterr().err
    settings = config.load(there).settings
    assert settings.listen == f"0.0.0.0:{PORT}"
    assert settings.store == "sqlite:////var/lib/prober/prober.db"
    assert settings.services["bird"].mode == "observe", "nobody outside is called before it is meant"


@pytest.mark.peer("prometheus", "alertmanager")
def test_prometheus_and_alertmanager_take_their_configurations(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "prometheus" / "prometheus.yml", tmp_path)
    text = (tmp_path / "prometheus.yml").read_text().replace("/etc/prometheus/rules", str(ROOT / "grafana/prometheus"))
    (tmp_path / "prometheus.yml").write_text(text)
    for program, *arguments in (
        ("promtool", "check", "config", str(tmp_path / "prometheus.yml")),
        ("amtool", "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml")),
    ):
        path = find(program)
        assert path is not None
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


@pytest.mark.peer("alertmanager")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=VendorUnavailable", "severity=page"), "on-call"),
        (("alertname=ProberLate", "severity=warning"), "working-hours"),
        (("alertname=VendorIncidentOpen", "severity=info"), "nobody"),
        (("alertname=AlertingWorks", "severity=none"), "dead-mans-switch"),
    ],
)
def test_who_is_told_of_which_alert(labels: tuple[str, ...], receiver: str) -> None:
    path = find("amtool")
    assert path is not None
    file = f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}"
    done = subprocess.run([path, "config", "routes", "test", file, *labels], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, receiver)


# systemd


def test_systemd_learns_of_start_reload_and_life() -> None:
    found = unit()
    assert found["Type"] == ["notify"]
    assert found["NotifyAccess"] == ["main"], "the measuring process itself tells"
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert found["WatchdogSec"] == ["30s"]
    assert found["Restart"] == ["on-failure"]
    assert found["ExecStart"][0].endswith("/prober run /etc/prober/prober.yaml")
    assert found["RestartPreventExitStatus"] == [str(int(Exit.USAGE))], "a bad configuration stays bad"
    assert main(["run", str(DEPLOY / "nothing.yaml")]) == Exit.USAGE


def test_secrets_come_as_credentials_and_the_store_has_a_place() -> None:
    found = unit()
    assert {value.partition(":")[0] for value in found["LoadCredential"]} == set(SERVICES["prober"]["secrets"])
    assert found["StateDirectory"] == ["prober"]
    assert found["DynamicUser"] == ["yes"]
    assert found["LimitCORE"] == ["0"]
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.read_string(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_the_configuration_for_systemd_is_made_as_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [line] = [line for line in (DEPLOY / "README.md").read_text().splitlines() if line.strip().startswith("sed ")]
    for name in ("api_key", "relay_password", "web_token"):
        (tmp_path / name).write_text(f"secret-{name}")
    line = line.replace("/opt/prober/deploy/prober.yaml", str(DEPLOY / "prober.yaml"))
    there = tmp_path / "prober.yaml"
    subprocess.run(["sh", "-c", line.replace("/etc/prober/prober.yaml", str(there))], check=True, timeout=30)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert main(["check", str(there)]) == 0, capsys.readouterr().err
    assert config.load(there).settings.listen == f"127.0.0.1:{PORT}"


@pytest.mark.peer("systemd")
def test_the_unit_is_shut_in_at_2_or_better() -> None:
    program = find("systemd-analyze")
    assert program is not None
    asked = [program, "security", "--offline=true", "--threshold=20", "--no-pager", str(DEPLOY / "prober.service")]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    exposed = re.search(r"Overall exposure level for prober.service: ([\d.]+)", done.stdout + done.stderr)
    assert exposed is not None, done.stderr
    assert float(exposed[1]) <= 2.0
    assert done.returncode == 0


@pytest.mark.peer("systemd")
def test_systemd_reads_the_unit_without_a_word(tmp_path: Path) -> None:
    program = find("systemd-analyze")
    assert program is not None
    there = tmp_path / "prober.service"
    there.write_text(UNIT.replace("/opt/prober/.venv/bin/prober", "/bin/true"))
    done = subprocess.run([program, "verify", str(there)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "prober.service" in line]) == (0, [])


# what is installed


def test_what_is_installed_holds_every_file_of_ours_and_runs(tmp_path: Path) -> None:
    """The wheel that the image and `make setup` install, built from a copy so that nothing is left here."""
    source = tmp_path / "source"
    for name in ("prober", "rules"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools import build_meta; import sys; print(build_meta.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=source, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = {name for name in wheel.namelist() if not name.partition("/")[0].endswith(".dist-info")}
        wheel.extractall(tmp_path / "installed")
    ours = {str(path.relative_to(source)) for top in ("prober", "rules") for path in (source / top).rglob("*")}
    files = {name for name in ours if (source / name).is_file()}
    assert files - inside == set(), "left out: see [tool.setuptools.package-data]"
    asked = [sys.executable, "-m", "prober", "contracts", "list"]
    shown = subprocess.run(asked, cwd=tmp_path / "installed", capture_output=True, text=True, timeout=60)
    assert "bird-email-enterprise" in shown.stdout, shown.stderr
